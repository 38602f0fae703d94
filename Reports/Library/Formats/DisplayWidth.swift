/// Text on a terminal, where a character takes no, one or two columns (Unicode Standard Annex 11).
extension String {
  /// How many columns it takes.
  var displayWidth: Int { reduce(0) { $0 + $1.displayWidth } }

  /// Shortened, or filled up with blanks, to so many columns.
  func fitted(to width: Int, ellipsis: String) -> String {
    let own = displayWidth
    guard own > width else { return self + String(repeating: " ", count: width - own) }
    let room = max(0, width - ellipsis.displayWidth)
    var (short, used) = ("", 0)
    for character in self {
      let next = character.displayWidth
      guard used + next <= room else { break }
      short.append(character)
      used += next
    }
    let end = String(ellipsis.prefix(width))
    return short + end + String(repeating: " ", count: max(0, width - used - end.displayWidth))
  }

  /// With blanks before it.
  func rightAligned(to width: Int) -> String {
    String(repeating: " ", count: max(0, width - displayWidth)) + self
  }
}

extension Character {
  /// A sequence that makes one emoji takes two columns; any other character what its parts take.
  var displayWidth: Int {
    let isEmoji = unicodeScalars.contains { $0 == "\u{FE0F}" || $0.properties.isEmojiPresentation }
    return isEmoji ? 2 : unicodeScalars.reduce(0) { $0 + $1.displayWidth }
  }
}

extension Unicode.Scalar {
  fileprivate var displayWidth: Int {
    if (0x20..<0x7F).contains(value) { return 1 }
    switch properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format, .control: return 0
    default: break
    }
    // Vowels and final consonants of Hangul syllables join the consonant before them.
    if (0x1160...0x11FF).contains(value) { return 0 }
    return Self.wide.contains { $0.contains(value) } ? 2 : 1
  }

  /// The blocks of East Asian wide and full-width characters, of which the standard library does
  /// not know.
  private static let wide: [ClosedRange<UInt32>] = [
    0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x4DBF, 0x4E00...0xA4CF, 0xA960...0xA97C,
    0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF01...0xFF60, 0xFFE0...0xFFE6,
    0x16FE0...0x18CD5, 0x1AFF0...0x1B2FB, 0x1F200...0x1F265, 0x20000...0x3FFFD,
  ]
}
