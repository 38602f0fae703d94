/// A way to write a finished report. Bytes go to `output` as they come, row by row.
public protocol Format: Sendable {
  /// Writes a report.
  /// - Throws: what `output` throws.
  func write(_ table: ReportTable, to output: ([UInt8]) throws -> Void) throws
}
