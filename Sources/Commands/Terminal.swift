import Foundation

/// The two streams of a command and what they are connected to.
public enum Terminal {
  /// The command's name as it was called.
  public static let program =
    (CommandLine.arguments.first.map { ($0 as NSString).lastPathComponent }) ?? "rollup"

  public static let outputIsTerminal = isatty(STDOUT_FILENO) == 1
  public static let errorIsTerminal = isatty(STDERR_FILENO) == 1

  /// The width of standard output in columns; 120 when it is none.
  public static var width: Int {
    var size = winsize()
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 20 else { return 120 }
    return Int(size.ws_col)
  }

  /// For people: progress, notes, errors.
  public static func say(_ message: String) {
    FileHandle.standardError.write(Data((message + "\n").utf8))
  }

  /// Replaces the live line of a terminal.
  public static func rewrite(_ line: String) {
    FileHandle.standardError.write(Data("\r\u{1B}[K\(line)".utf8))
  }

  /// Data.
  public static func print(_ text: String) {
    FileHandle.standardOutput.write(Data((text + "\n").utf8))
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
