import Backfill
import Commands
import Foundation
import RollupStore

/// Says how far a run is: a live line on a terminal, a line every few seconds elsewhere, or JSON. It counts the chunks of
/// all workers, on whatever machine.
struct LiveProgress: Sendable {
  private let run: Run
  private let backfill: BackfillRun
  private let asJSON: Bool
  private let started = ContinuousClock.now

  init(_ run: Run, _ backfill: BackfillRun, asJSON: Bool) {
    self.run = run
    self.backfill = backfill
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
    let rate = Double(now.completed - first.completed) / max(seconds, 0.001)
    let left = rate > 0 ? Double(now.total - now.completed) / rate : nil
    if asJSON {
      return Terminal.say(
        JSONLine(
          event: "progress", run: run.number, done: now.completed, total: now.total, rate: rate,
          secondsLeft: left, chunks: now.done, workers: now.workers, retries: now.retries,
          aside: now.aside, written: now.written, removed: now.removed, closed: nil
        ).text)
    }
    let part = now.total > 0 ? Double(now.completed) / Double(now.total) : 1
    let line =
      "backfilling \(backfill.task.description): "
      + "\(isLive ? Progress.bar(part) + " " : "")\(Int(part * 100))% of \(now.total.grouped) patients, "
      + "\(Int(rate).grouped) a second, \(left.map { "\(Progress.time($0)) left, " } ?? "")"
      + "\(now.workers) workers, \(now.retries) retries"
    if isLive { Terminal.rewrite(line) } else { Terminal.say(line) }
  }

  /// A failure, as it happens.
  func note(_ event: Crew.Event) {
    guard case .failed(let chunk, let error, let isAside) = event else { return }
    if isLive { Terminal.rewrite("") }
    Terminal.say(
      "chunk \(chunk.number), attempt \(chunk.attempts): \(error)\(isAside ? "; set aside" : "")")
  }

  /// The last line.
  func end(_ progress: RunProgress, closed: Int) {
    if asJSON {
      return Terminal.say(
        JSONLine(
          event: "end", run: run.number, done: progress.completed, total: progress.total,
          rate: Double(progress.completed) / max(progress.seconds, 0.001), secondsLeft: 0,
          chunks: progress.done, workers: 0, retries: progress.retries, aside: progress.aside,
          written: progress.written, removed: progress.removed, closed: closed
        ).text)
    }
    Terminal.say(
      """
      \(progress.done) of \(progress.chunks) chunks, \(progress.completed.grouped) patients in \
      \(String(format: "%.1f", seconds)) s: \(progress.written.grouped) rows written, \
      \(progress.removed.grouped) removed\(closed > 0 ? ", \(closed) closed periods skipped" : "")
      """)
  }
}

/// A line of progress for machines.
private struct JSONLine: Encodable {
  let event: String
  let run: Int64
  let done: Int
  let total: Int
  let rate: Double
  let secondsLeft: Double?
  let chunks: Int
  let workers: Int
  let retries: Int
  let aside: Int
  let written: Int
  let removed: Int
  let closed: Int?

  var text: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    return String(decoding: (try? encoder.encode(self)) ?? Data(), as: UTF8.self)
  }
}
