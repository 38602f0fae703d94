import PeriodRollups
import Reports

/// A piece of a page. What is interpolated is text and is escaped, unless it is a piece itself, so that nothing that a
/// database or a query string says becomes markup.
///
/// ```swift
/// let cell: HTML = "<td>\(name)</td>"
/// ```
struct HTML: Sendable, ExpressibleByStringInterpolation {
  let text: String

  init(stringLiteral text: String) { self.text = text }
  init(stringInterpolation: StringInterpolation) { text = stringInterpolation.text }
  /// Markup that was made elsewhere in this project.
  init(made text: String) { self.text = text }

  struct StringInterpolation: StringInterpolationProtocol {
    var text = ""

    init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(literalCapacity) }

    mutating func appendLiteral(_ literal: String) { text += literal }
    mutating func appendInterpolation(_ piece: HTML) { text += piece.text }
    mutating func appendInterpolation(_ piece: HTML?) { text += piece?.text ?? "" }
    mutating func appendInterpolation(_ pieces: [HTML]) {
      text += pieces.map(\.text).joined(separator: "\n")
    }
    mutating func appendInterpolation(_ number: Int) { text += String(number) }
    mutating func appendInterpolation(_ period: Period) { text += period.description }
    mutating func appendInterpolation(_ value: String) { text += value.html }
    mutating func appendInterpolation(_ link: Link) { text += link.text.html }
  }
}

/// An address within the service: a path, and what is asked.
struct Link: Sendable {
  let path: String
  let query: [(name: String, value: String)]

  init(_ path: String, _ query: [(name: String, value: String?)] = []) {
    self.path = path
    self.query = query.compactMap { name, value in value.map { (name, $0) } }
  }

  var text: String {
    guard !query.isEmpty else { return path }
    return path + "?"
      + query.map { "\($0.name.percentEncoded)=\($0.value.percentEncoded)" }.joined(separator: "&")
  }
}

extension String {
  /// RFC 3986: everything but unreserved characters as `%XX`.
  var percentEncoded: String {
    let digits = Array("0123456789ABCDEF")
    var text = ""
    for byte in utf8 {
      let scalar = Unicode.Scalar(byte)
      switch scalar {
      case "a"..."z", "A"..."Z", "0"..."9", "-", ".", "_", "~": text.unicodeScalars.append(scalar)
      default:
        text += "%"
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 15)])
      }
    }
    return text
  }
}
