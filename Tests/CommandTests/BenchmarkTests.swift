import Foundation
import TestSupport
import Testing

/// The scripts behind docs/benchmarks.md come to their end and print every table. What the figures are is not tested.
@Suite struct BenchmarkTests {
  private static let scripts = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Benchmarks").path

  @Test func makeBench() async {
    let outcome = await run(
      ["/bin/sh", "\(Self.scripts)/run.sh", commandsFolder],
      environment: [
        "PATIENTS": "200", "FROM": "2024-01", "SECONDS_EACH": "1", "ROUNDS": "1",
        "IMPORT_ROWS": "300", "MEMORY_ROWS": "1000", "LATE_ROWS": "50",
      ])
    #expect(outcome.status == 0, "\(outcome)")
    for table in [
      "| backfill,", "| report of a quarter,", "| durable single writes", "- writers beside",
      "| 300 new readings", "| closing, 200 patients", "| bytes that closing adds",
      "finds every digest as it was",
    ] { #expect(outcome.output.contains(table), "\(table): \(outcome)") }
  }

  @Test func howItGrows() async throws {
    let picture = FileManager.default.temporaryDirectory.appending(
      path: "growth-\(UUID().uuidString).svg")
    defer { try? FileManager.default.removeItem(at: picture) }
    let outcome = await run(
      ["/bin/sh", "\(Self.scripts)/growth.sh", commandsFolder, picture.path],
      environment: ["MILLIONS": "0.001 0.003", "VIEWS": "0.003"])
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.output.split(separator: "\n").count == 4, "\(outcome)")
    let drawing = try String(contentsOf: picture, encoding: .utf8)
    #expect(drawing.hasSuffix("</svg>\n") && drawing.matches(of: /<circle/).count == 5)
  }

  private static let hasWrk = FileManager.default.isExecutableFile(atPath: "/usr/bin/wrk")

  @Test(.enabled(if: hasWrk, "wrk is not installed"))
  func theDashboard() async {
    let outcome = await run(
      ["/bin/sh", "\(Self.scripts)/serve.sh", commandsFolder],
      environment: [
        "PATIENTS": "200", "FROM": "2024-01", "CLOSED": "2024Q1", "SECONDS_EACH": "1",
        "KINDS": "district-open recall login",
      ])
    #expect(outcome.status == 0, "\(outcome)")
    for line in ["| district-open |", "| recall |", "| login |", "Resident memory"] {
      #expect(outcome.output.contains(line), "\(line): \(outcome)")
    }
    #expect(!outcome.output.contains("failed"), "\(outcome)")
  }

  @Test func howRemindersGrow() async {
    let outcome = await run(
      ["/bin/sh", "\(Self.scripts)/reminders.sh", commandsFolder],
      environment: ["SIZES": "20 50", "PANELS": "10", "JOBS": "500"])
    #expect(outcome.status == 0, "\(outcome)")
    for line in ["| what | 20 patients | 50 patients |", "| panel unchanged p50", "| do 500 jobs"] {
      #expect(outcome.output.contains(line), "\(line): \(outcome)")
    }
  }
}
