import Foundation
import Output
import Synchronization

/// The two streams of a command and what they are connected to.
public enum Terminal {
  /// The command's name as it was called.
  public static let program =
    (CommandLine.arguments.first.map { ($0 as NSString).lastPathComponent }) ?? "rollup"

  public static let outputIsTerminal = isatty(STDOUT_FILENO) == 1
  public static let errorIsTerminal = isatty(STDERR_FILENO) == 1

  private static let quiet = Atomic(false)

  /// Whether progress and notes are left out (`--quiet`).
  public static var isQuiet: Bool {
    get { quiet.load(ordering: .relaxed) }
    set { quiet.store(newValue, ordering: .relaxed) }
  }

  /// Whether some of the output could not be written. Long work may end early then: nobody sees its results. ``Program`` says
  /// why, and ends with exit code 73.
  public static var outputHasFailed: Bool { StandardStreams.failure != nil }

  /// The width of standard output in columns; 120 when it is none.
  public static var width: Int {
    var size = winsize()
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 20 else { return 120 }
    return Int(size.ws_col)
  }

  /// For people: progress and notes, which `--quiet` leaves out.
  public static func say(_ message: String) {
    if !isQuiet { complain(message) }
  }

  /// For people: errors and warnings, which are always said.
  public static func complain(_ message: String) {
    StandardStreams.say(message.printableLines + "\n")
  }

  /// Replaces the live line of a terminal.
  public static func rewrite(_ line: String) {
    if !isQuiet { StandardStreams.say("\r\u{1B}[K" + line.printable) }
  }

  /// Data. What cannot be written ends the program with exit code 73, once what it is doing has come to its end: a transaction
  /// that is open is not cut off (``Program``).
  public static func print(_ text: String) {
    let shown = outputIsTerminal ? text.printableLines : text
    try? StandardStreams.write(Array((shown + "\n").utf8))
  }
}

extension Int {
  /// With separators: 7,500,000.
  public var grouped: String {
    let digits = String(magnitude)
    var text = ""
    for (place, digit) in digits.enumerated() {
      if place > 0, (digits.count - place) % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return self < 0 ? "-" + text : text
  }
}
