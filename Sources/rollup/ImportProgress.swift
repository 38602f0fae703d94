import Commands
import Synchronization

/// A progress line for each part of an import in turn.
final class ImportProgress: Sendable {
  private let current = Mutex<(what: String, line: Progress)?>(nil)

  func show(_ what: String, _ done: Int, _ total: Int) {
    let line = current.withLock { current in
      if let current, current.what == what { return current.line }
      current?.line.finish()
      let line = Progress(
        what, total: total,
        unit: what.hasPrefix("reading ") ? "bytes" : what == "resolving" ? "steps" : "rows")
      current = (what, line)
      return line
    }
    line.advance(to: done)
  }

  func finish() { current.withLock { $0?.line.finish() } }
}
