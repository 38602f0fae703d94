import CSV
import Foundation
import Testing

/// Python's csv module as a second opinion, both ways.
@Suite("Python's csv module agrees")
struct PythonOracleTests {
  private static let python = [
    "/usr/bin/python3", "/usr/local/bin/python3", "/root/.pyenv/shims/python3",
  ]
  .first { FileManager.default.isExecutableFile(atPath: $0) }

  /// Runs a script with text on standard input; nil, and a line saying so, where there is no
  /// Python.
  private func run(_ script: String, _ input: [UInt8]) throws -> Data? {
    guard let python = Self.python else {
      print("skipped: there is no python3 to compare with")
      return nil
    }
    let process = Process()
    let (stdin, stdout) = (Pipe(), Pipe())
    process.executableURL = URL(fileURLWithPath: python)
    process.arguments = ["-c", script]
    (process.standardInput, process.standardOutput) = (stdin, stdout)
    try process.run()
    // Less than a pipe's buffer, so nobody waits for anybody.
    try #require(input.count < 60_000)
    try stdin.fileHandleForWriting.write(contentsOf: Data(input))
    try stdin.fileHandleForWriting.close()
    let output = try stdout.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    return output
  }

  private func tables() -> [[String]] {
    var random = RandomFields(seed: 7)
    // Python's reader before 3.11 refuses NUL.
    return (0..<150).flatMap { _ in random.table() }
      .map { row in row.map { $0.replacing("\u{0}", with: "0") } }
  }

  @Test("it reads what we write")
  func reads() throws {
    let script = """
      import csv, io, json, sys
      text = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", newline="")
      print(json.dumps(list(csv.reader(text, strict=True))))
      """
    let table = tables()
    let bytes = table.flatMap { CSVWriter(raw: true).record($0.map(CSVCell.text)) }
    guard let output = try run(script, bytes) else { return }
    #expect(try JSONDecoder().decode([[String]].self, from: output) == table)
  }

  @Test("we read what it writes")
  func writes() throws {
    let script = """
      import csv, io, json, sys
      text = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="")
      csv.writer(text, quoting=csv.QUOTE_ALL).writerows(json.load(sys.stdin.buffer))
      """
    let table = tables()
    guard let output = try run(script, Array(JSONEncoder().encode(table))) else { return }
    #expect(try read(Array(output)).map(\.fields) == table)
  }
}
