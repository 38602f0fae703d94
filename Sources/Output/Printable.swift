/// Text as a terminal may be given it. Names, reasons and errors come from outside: a file, a database, a server.
extension String {
  /// One line, without what would move the cursor, colour the terminal, rename its window or reverse the line: a question
  /// mark stands for each.
  public var printable: String { replacing { $0.isUnprintable } }

  /// As ``printable``, of a text with lines and tabs of its own.
  public var printableLines: String {
    replacing { $0.isUnprintable && $0 != "\n" && $0 != "\t" }
  }

  private func replacing(_ isWrong: (Unicode.Scalar) -> Bool) -> String {
    guard unicodeScalars.contains(where: isWrong) else { return self }
    var scalars = UnicodeScalarView()
    for scalar in unicodeScalars { scalars.append(isWrong(scalar) ? "?" : scalar) }
    return String(scalars)
  }
}

extension Unicode.Scalar {
  /// C0 and C1 controls, DEL, the separators of lines and paragraphs, and what changes the direction of writing (Unicode
  /// Standard Annex 9: embeddings, overrides, isolates).
  fileprivate var isUnprintable: Bool {
    switch properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator: true
    default: (0x202A...0x202E).contains(value) || (0x2066...0x2069).contains(value)
    }
  }
}
