import Backfill
import Commands
import Foundation
import RollupStore

/// Says how far a run is: a live line on a terminal, a line every few seconds elsewhere, or JSON. It counts the chunks of
/// all workers, on whatever machine.
struct LiveProgress: Sendable {
  private let run: Run
  private let backfill: BackfillRun
  private let pacer: Pacer
  private let asJSON: Bool
  private let started = ContinuousClock.now

  init(_ run: Run, _ backfill: BackfillRun, _ pacer: Pacer, asJSON: Bool) {
    self.run = run
    self.backfill = backfill
    self.pacer = pacer
    self.asJSON = asJSON
  }

  private var isLive: Bool { Terminal.errorIsTerminal && !asJSON }
  private var seconds: Double { (ContinuousClock.now - started) / .seconds(1) }

  /// Shows progress for as long as `work` lasts.
  func show<T: Sendable>(_ work: @Sendable @escaping () async throws -> T) async throws -> T {
    let first = try await backfill.runs.progress(run.number)
    let showing = Task {
      while !Task.isCancelled {
        try await Task.sleep(for: isLive ? .milliseconds(500) : .seconds(5))
        say(try await backfill.runs.progress(run.number), since: first)
      }
    }
    defer {
      showing.cancel()
      if isLive { Terminal.rewrite("") }
    }
    return try await work()
  }

  private func say(_ now: RunProgress, since first: RunProgress) {
    let done = max(now.part - first.part, 0) / max(seconds, 0.001)
    let (rate, left) = (done * Double(now.subjects), done > 0 ? (1 - now.part) / done : nil)
    let rest = pacer.reason
    if asJSON {
      var line = JSONLine("progress", run, now, rate: rate, left: left)
      line.resting = rest
      return Terminal.say(line.text)
    }
    let line =
      "backfilling \(backfill.task.description): "
      + "\(isLive ? Progress.bar(now.part) + " " : "")\(Int(now.part * 100))% of \(now.subjects.grouped) patients, "
      + "\(Int(rate).grouped) a second, \(left.map { "\(Progress.time($0)) left, " } ?? "")"
      + "\(now.workers) workers, \(now.retries) retries\(rest.map { ", resting: \($0)" } ?? "")"
    if isLive { Terminal.rewrite(line) } else { Terminal.say(line) }
  }

  /// A failure, as it happens.
  func note(_ event: Runs.Event) {
    guard case .failed(let chunk, let error, let isAside) = event else { return }
    if isLive { Terminal.rewrite("") }
    Terminal.say(
      "chunk \(chunk.number), attempt \(chunk.attempts): \(error)\(isAside ? "; set aside" : "")")
  }

  /// The last line.
  func end(_ progress: RunProgress, closed: Int) {
    if asJSON {
      let rate = progress.part * Double(progress.subjects) / max(progress.seconds, 0.001)
      var line = JSONLine("end", run, progress, rate: rate, left: 0)
      line.closed = closed
      return Terminal.say(line.text)
    }
    Terminal.say(
      """
      \(progress.done) of \(progress.chunks) chunks, \(progress.subjects.grouped) patients in \
      \(String(format: "%.1f", seconds)) s: \(progress.written.grouped) rows written, \
      \(progress.removed.grouped) removed\(closed > 0 ? ", \(closed) closed periods skipped" : "")
      """)
  }
}

/// A line of progress for machines.
private struct JSONLine: Encodable {
  let event: String
  let run: Int64
  let progress: RunProgress
  /// Patients a second.
  let rate: Double
  let secondsLeft: Double?
  /// Why it rests.
  var resting: String?
  /// Periods that were skipped.
  var closed: Int?

  init(_ event: String, _ run: Run, _ progress: RunProgress, rate: Double, left: Double?) {
    self.event = event
    self.run = run.number
    self.progress = progress
    self.rate = rate
    secondsLeft = left
  }

  var text: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    return String(decoding: (try? encoder.encode(self)) ?? Data(), as: UTF8.self)
  }
}
