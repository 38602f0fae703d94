import Foundation

/// Where a line stops being JSON. Only asked of lines that are none: it parses the line a second
/// time, since JSONDecoder on Linux does not tell.
enum MalformedJSON {
  static func reason(_ line: Data) -> String {
    column(line).map { "malformed JSON at column \($0)" } ?? "malformed JSON"
  }

  /// From 1, in bytes.
  private static func column(_ line: Data) -> Int? {
    do {
      _ = try JSONSerialization.jsonObject(with: line)
      return nil
    } catch {
      // "Invalid value around character 13.", counted from 0. Nothing but the number is taken: the
      // rest may quote the line.
      let text = (error as NSError).userInfo[NSDebugDescriptionErrorKey] as? String ?? ""
      if text.contains("end of file") { return line.count + 1 }
      guard let place = text.range(of: "around character ")?.upperBound else { return nil }
      return Int(text[place...].prefix { $0.isASCII && $0.isNumber }).map { $0 + 1 }
    }
  }
}
