import CSV
import Output
import Postgres

/// The file of what was not imported: `file,line,id,reason`, an id with its kind before it. No
/// value of a patient is in it, and it is its owner's alone. The file is made with the first reject; without one, nothing is
/// touched.
final class Rejects {
  let path: String
  private var file: OutputFile?
  private var buffer: [UInt8] = []

  init(_ path: String) { self.path = path }

  func add(_ file: String, _ line: Int, _ resource: String, _ id: String?, _ reason: String) throws
  {
    try write(
      CSVWriter().record([
        .text(file), .integer(line), id.map { .text("\(resource)/\($0)") } ?? .text(resource),
        .text(reason),
      ]))
  }

  private func write(_ record: [UInt8]) throws {
    if file == nil {
      file = try OutputFile(path, isPrivate: true)
      buffer += CSVWriter().record(["file", "line", "resource/id", "reason"].map(CSVCell.text))
    }
    buffer += record
    if buffer.count > 64 << 10 { try flush() }
  }

  private func flush() throws {
    guard let file, !buffer.isEmpty else { return }
    try file.write(buffer)
    buffer.removeAll(keepingCapacity: true)
  }

  /// Puts the file where it belongs, before anything is imported that it says was left out.
  private func finish() throws {
    try flush()
    try file?.finish()
    file = nil
  }

  /// Writes what SQL rejected: the rows of `import_rejects`. Returns how many there are of each
  /// resource.
  func collect(_ files: [String], from connection: Connection) async throws -> [String: Int] {
    let parser = CSVParser()
    let take: (CSVRecord) throws -> Void = { [self] record in
      guard record.fields.count == 5, let number = Int(record.fields[0]),
        files.indices.contains(number)
      else { return }
      try add(
        files[number], Int(record.fields[1]) ?? 0, record.fields[2], record.fields[3],
        record.fields[4])
    }
    let rows = connection.copyOut(
      """
      COPY (SELECT file, line, resource, id, reason FROM import_rejects ORDER BY file, line)
      TO STDOUT WITH (FORMAT csv)
      """)
    for try await bytes in rows { try parser.feed(bytes[...], take) }
    try parser.finish(take)
    try finish()
    let counts = try await connection.query(
      "SELECT resource, count(*) FROM import_rejects GROUP BY 1")
    return try Dictionary(uniqueKeysWithValues: counts.map { try $0.decode((String, Int).self) })
  }
}
