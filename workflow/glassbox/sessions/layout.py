"""Where an NWB v1 file of Allen Visual Coding keeps what allensdk reads: HDF5 paths as constants.

No HDF5 attribute is read by allensdk. Strings are fixed-length bytes scalars; variable-length
strings break it.

Source: allensdk 2.16.2, `brain_observatory/brain_observatory_nwb_data_set.py`.
"""

from __future__ import annotations

PIPELINE = "processing/brain_observatory_pipeline"
PLANE = "imaging_plane_1"

# dF/F, f4 (cells, frames), and the time of each frame, f8 (frames,), seconds.
DFF = f"{PIPELINE}/DfOverF/{PLANE}/data"
DFF_TIMES = f"{PIPELINE}/DfOverF/{PLANE}/timestamps"
# The same clock once more: allensdk takes it for running speed and epochs.
FLUORESCENCE_TIMES = f"{PIPELINE}/Fluorescence/{PLANE}/timestamps"

SEGMENTATION = f"{PIPELINE}/ImageSegmentation"
CELL_SPECIMEN_IDS = f"{SEGMENTATION}/cell_specimen_ids"  # i8 (cells,)
ROI_IDS = f"{SEGMENTATION}/roi_ids"  # S (cells,)
ROI_PLANE = f"{SEGMENTATION}/{PLANE}"
ROI_LIST = f"{ROI_PLANE}/roi_list"  # S (cells,), names of the groups below ROI_PLANE
ROI_MASK = "img_mask"  # u1 (512, 512) in `ROI_PLANE/<roi>`

# Behaviour; absent in some sessions.
RUNNING_SPEED = f"{PIPELINE}/BehavioralTimeSeries/running_speed/data"  # cm/s
RUNNING_SPEED_TIMES = f"{PIPELINE}/BehavioralTimeSeries/running_speed/timestamps"
PUPIL_LOCATION = f"{PIPELINE}/EyeTracking/pupil_location/data"  # (samples, 2), cm
PUPIL_LOCATION_TIMES = f"{PIPELINE}/EyeTracking/pupil_location/timestamps"
PUPIL_SPHERICAL = f"{PIPELINE}/EyeTracking/pupil_location_spherical/data"  # (samples, 2), degrees
PUPIL_SPHERICAL_TIMES = f"{PIPELINE}/EyeTracking/pupil_location_spherical/timestamps"
PUPIL_SIZE = f"{PIPELINE}/PupilTracking/pupil_size/data"  # (samples,), pixels
PUPIL_SIZE_TIMES = f"{PIPELINE}/PupilTracking/pupil_size/timestamps"

# Stimuli: one group for each, named `<stimulus>_stimulus`.
PRESENTATION = "stimulus/presentation"
STIMULUS_SUFFIX = "_stimulus"
# Gratings: f8 (trials, features), a blank sweep is [nan, nan, 1]. Scenes and movies: i8 (rows,),
# the index of the image, -1 for a blank. Spontaneous: i1 (rows,), 1 at a start, -1 at an end.
STIMULUS_DATA = "data"
STIMULUS_FEATURES = "features"  # S (features,); gratings only
STIMULUS_FRAMES = "frame_duration"  # int (trials, 2), first and last imaging frame
DRIFTING_GRATINGS = "drifting_gratings"
STATIC_GRATINGS = "static_gratings"
NATURAL_SCENES = "natural_scenes"
NATURAL_MOVIES = ("natural_movie_one", "natural_movie_two", "natural_movie_three")
SPONTANEOUS = "spontaneous"
GRATINGS_BLANK = "blank_sweep"
SCENE_BLANK = -1

# Metadata, fixed-length bytes scalars.
SESSION_ID = "general/session_id"
SESSION_TYPE = "general/session_type"
CONTAINER_ID = "general/experiment_container_id"
OPHYS_EXPERIMENT_ID = "general/ophys_experiment_id"
SPECIMEN_NAME = "general/specimen_name"
AREA = "general/targeted_structure"
GENOTYPE = "general/subject/genotype"
SEX = "general/subject/sex"
AGE = "general/subject/age"
SUBJECT_ID = "general/subject/subject_id"
IMAGING_PLANE = f"general/optophysiology/{PLANE}"
DEPTH = f"{IMAGING_PLANE}/imaging depth"  # such as b"275 microns"
INDICATOR = f"{IMAGING_PLANE}/indicator"
LOCATION = f"{IMAGING_PLANE}/location"
DEVICE = "general/devices/2-photon microscope"
FIELD_OF_VIEW = "general/fov"
GENERATED_BY = "general/generated_by"  # S (pairs,): name, value, name, value, ...
SESSION_START_TIME = "session_start_time"
NWB_VERSION = "nwb_version"
IDENTIFIER = "identifier"


def stimulus_group(stimulus: str) -> str:
    """Path of the group of a stimulus such as 'drifting_gratings'."""
    return f"{PRESENTATION}/{stimulus}{STIMULUS_SUFFIX}"
