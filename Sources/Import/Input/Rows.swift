/// A kind of file that is imported: a FHIR resource type, or one of the CSV files.
protocol Rows: Sendable {
  /// What the report and the rejects call it.
  var name: String { get }
  /// The `COPY` of its raw table, which begins with the file's number and the row's line.
  var copy: String { get }
  func reader(of path: String) -> any RowReader
}

/// Reads the rows of one file as its bytes come.
protocol RowReader {
  /// Calls back for each row that the next bytes complete.
  mutating func feed(_ bytes: [UInt8], _ body: (Row) -> Void) throws
  /// What is left at the end of the file.
  /// - Throws: ``ImportFailure`` when the file was none of its kind.
  mutating func finish(_ body: (Row) -> Void) throws
}

/// A line of NDJSON or a record of CSV.
struct Row {
  enum Content {
    /// As they are copied; nil is NULL.
    case fields([String?])
    /// Well-formed, and no record of ours, such as another diagnosis.
    case notOurs
    case reject(Reject)
  }

  /// From 1.
  let line: Int
  let content: Content

  /// - Parameter fields: nil for what is not ours; a `Reject` that it throws is kept.
  init(_ line: Int, _ fields: () throws -> [String?]?) rethrows {
    self.line = line
    do {
      content = try fields().map(Content.fields) ?? .notOurs
    } catch let reject as Reject {
      content = .reject(reject)
    }
  }
}
