/// Why an import cannot be done: a file that is missing or corrupt, a header that is not
/// understood. Nothing has been written when it is thrown. Rows are not failures; they are rejected
/// one by one.
public struct ImportFailure: Error, Hashable, CustomStringConvertible {
  /// What is wrong with which file, in a sentence.
  public let description: String

  init(_ description: String) { self.description = description }
}
