import Foundation

/// Names and values as browsers send them of a form, in an address or a body (`application/x-www-form-urlencoded`).
enum FormFields {
  /// - Throws: ``Refusal`` for what is not UTF-8.
  static func read(_ text: String) throws(Refusal) -> [(name: String, value: String)] {
    var fields: [(name: String, value: String)] = []
    for pair in text.split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let texts = parts.compactMap { $0.replacing("+", with: " ").removingPercentEncoding }
      guard texts.count == parts.count else { throw .usage("that is not text: \(pair)") }
      fields.append((texts[0], texts.count > 1 ? texts[1] : ""))
    }
    return fields
  }
}
