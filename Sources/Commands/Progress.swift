import Foundation
import Synchronization

/// How far a long piece of work is: one live line on a terminal, a plain line every few seconds elsewhere.
public final class Progress: Sendable {
  private let what: String
  private let unit: String
  private let total: Int
  private let started = ContinuousClock.now
  private let state = Mutex((done: 0, shown: ContinuousClock.now))

  /// - Parameters:
  ///   - total: of the unit; 0 when it is not known.
  public init(_ what: String, total: Int, unit: String) {
    self.what = what
    self.total = total
    self.unit = unit
  }

  public func advance(by count: Int) { show { $0 + count } }
  public func advance(to count: Int) { show { _ in count } }

  private func show(_ step: (Int) -> Int) {
    let interval: Duration = Terminal.errorIsTerminal ? .milliseconds(100) : .seconds(5)
    let line: String? = state.withLock { state in
      state.done = step(state.done)
      guard ContinuousClock.now - state.shown >= interval else { return nil }
      state.shown = .now
      return describe(state.done)
    }
    guard let line else { return }
    if Terminal.errorIsTerminal { Terminal.rewrite(line) } else { Terminal.say(line) }
  }

  /// Ends the live line.
  public func finish() {
    if Terminal.errorIsTerminal { Terminal.rewrite("") }
  }

  /// Seconds since the beginning.
  public var seconds: Double { (ContinuousClock.now - started) / .seconds(1) }

  private func describe(_ done: Int) -> String {
    let rate = Double(done) / max(seconds, 0.001)
    guard total > 0 else {
      return "\(what): \(done.grouped) \(unit), \(Int(rate).grouped) a second"
    }
    let part = min(Double(done) / Double(total), 1)
    let left = rate > 0 ? Double(max(total - done, 0)) / rate : 0
    let bar = Terminal.errorIsTerminal ? Self.bar(part) + " " : ""
    return
      "\(what): \(bar)\(Int(part * 100))% of \(total.grouped) \(unit), \(Int(rate).grouped) a second, \(Self.time(left)) left"
  }

  public static func bar(_ part: Double) -> String {
    let width = 24
    let full = Int(part * Double(width))
    return "[" + String(repeating: "=", count: full) + String(repeating: " ", count: width - full)
      + "]"
  }

  /// `12 min 5 s`
  public static func time(_ seconds: Double) -> String {
    let whole = Int(seconds.rounded(.up))
    if whole < 60 { return "\(whole) s" }
    if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
    return "\(whole / 3600) h \(whole % 3600 / 60) min"
  }
}
