import CSV
import Foundation
import Postgres
import TestSupport
import Testing

/// Python's csv module as a second opinion, both ways.
@Suite("Python's csv module agrees")
struct PythonOracleTests {
  private static let python = [
    "/usr/bin/python3", "/usr/local/bin/python3", "/root/.pyenv/shims/python3",
  ]
  .first { FileManager.default.isExecutableFile(atPath: $0) }

  /// Runs a script with the names of two files, of which it reads the first and writes the second; nil, and a line saying
  /// so, where there is no Python.
  private func python(_ script: String, _ input: [UInt8]) async throws -> Data? {
    guard let python = Self.python else {
      print("skipped: there is no python3 to compare with")
      return nil
    }
    let file = FileManager.default.temporaryDirectory.appending(path: "python-\(UUID())")
    let answer = file.appendingPathExtension("answer")
    defer { for made in [file, answer] { try? FileManager.default.removeItem(at: made) } }
    try Data(input).write(to: file)
    let outcome = await run([python, "-c", script, file.path, answer.path])
    #expect(outcome.status == 0, "\(outcome)")
    return try Data(contentsOf: answer)
  }

  private func tables() -> [[String]] {
    var random = RandomFields(seed: 7)
    // Python's reader before 3.11 refuses NUL.
    return (0..<150).flatMap { _ in random.table() }
      .map { row in row.map { $0.replacing("\u{0}", with: "0") } }
  }

  @Test("it reads what we write")
  func reads() async throws {
    let script = """
      import csv, json, sys
      with open(sys.argv[1], encoding="utf-8", newline="") as text, open(sys.argv[2], "w") as answer:
        json.dump(list(csv.reader(text, strict=True)), answer)
      """
    let table = tables()
    let bytes = table.flatMap { CSVWriter(raw: true).record($0.map(CSVCell.text)) }
    guard let output = try await python(script, bytes) else { return }
    #expect(try JSONDecoder().decode([[String]].self, from: output) == table)
  }

  @Test("we read what it writes")
  func writes() async throws {
    let script = """
      import csv, json, sys
      with open(sys.argv[1], "rb") as table, open(sys.argv[2], "w", encoding="utf-8", newline="") as answer:
        csv.writer(answer, quoting=csv.QUOTE_ALL).writerows(json.load(table))
      """
    let table = tables()
    guard let output = try await python(script, Array(JSONEncoder().encode(table))) else { return }
    #expect(try read(Array(output)).map(\.fields) == table)
  }
}
