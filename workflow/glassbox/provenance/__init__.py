"""What results were made from, by which code, where: written as an RO-Crate, and checked again."""
