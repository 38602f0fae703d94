import Foundation
import Glibc

/// Whoever asks, by the address of the connection or by what a proxy says of it.
struct ClientAddress: Hashable, Sendable {
  /// Without port and brackets, as the log has it; empty for a connection that has none.
  let text: String
  /// What is counted together: an IPv4 address, or the 64 bits of an IPv6 address that one household or ward has to itself.
  let group: String

  /// A connection without an address, such as a Unix socket's.
  static let none = ClientAddress(text: "", group: "")

  private init(text: String, group: String) {
    self.text = text
    self.group = group
  }

  /// Reads `203.0.113.10`, `203.0.113.10:40001`, `2001:db8::1`, `[2001:db8::1]` and `[2001:db8::1]:40001`: proxies write the port too,
  /// another one for each connection.
  /// - Returns: nil for what is no address.
  init?(_ written: some StringProtocol) {
    let bare = Self.bare(written.trimmingCharacters(in: .whitespaces))
    if let bytes = Self.bytes(bare, AF_INET, 4) {
      self.init(v4: bytes)
    } else if let bytes = Self.bytes(bare, AF_INET6, 16) {
      // An IPv4 address in IPv6's clothes: ::ffff:203.0.113.10
      if bytes.prefix(12) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF] {
        self.init(v4: Array(bytes.suffix(4)))
      } else {
        self.init(v6: bytes)
      }
    } else {
      return nil
    }
  }

  private init(v4 bytes: [UInt8]) {
    let text = bytes.map(String.init).joined(separator: ".")
    self.init(text: text, group: text)
  }

  private init(v6 bytes: [UInt8]) {
    let words = stride(from: 0, to: 16, by: 2).map { place in
      String(UInt16(bytes[place]) << 8 | UInt16(bytes[place + 1]), radix: 16)
    }
    self.init(
      text: words.joined(separator: ":"), group: words.prefix(4).joined(separator: ":") + "::/64")
  }

  /// Without port, brackets and zone.
  private static func bare(_ written: String) -> String {
    var text = written[...]
    if text.hasPrefix("[") {
      text = text.dropFirst().prefix { $0 != "]" }
    } else if text.count(where: { $0 == ":" }) == 1 {
      text = text.prefix { $0 != ":" }
    }
    return String(text.prefix { $0 != "%" })
  }

  private static func bytes(_ text: String, _ family: Int32, _ count: Int) -> [UInt8]? {
    // Nothing longer is an address.
    guard text.utf8.count < 64 else { return nil }
    var bytes = [UInt8](repeating: 0, count: count)
    return inet_pton(family, text, &bytes) == 1 ? bytes : nil
  }
}
