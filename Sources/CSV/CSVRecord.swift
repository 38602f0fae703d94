/// A record of a CSV file, or why it could not be read.
public struct CSVRecord: Sendable, Hashable {
  /// The physical line of the file it begins on, from 1. LF, CRLF and CR each end a line, also
  /// inside quotes.
  public let line: Int
  /// The fields, without their quotes; empty when there is a `fault`.
  public let fields: [String]
  /// Why the record cannot be read, and which lines it took with it; nil when it can. No value of
  /// the file is in it.
  public let fault: String?
}
