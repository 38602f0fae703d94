/// JSON, to write it down.
indirect enum JSONValue: Encodable, Sendable, ExpressibleByStringLiteral,
  ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByIntegerLiteral
{
  case text(String)
  case object([String: JSONValue])
  case list([JSONValue])
  case flag(Bool)
  case number(Int)

  init(stringLiteral text: String) { self = .text(text) }
  init(dictionaryLiteral pairs: (String, JSONValue)...) {
    self = .object(Dictionary(pairs) { $1 })
  }
  init(arrayLiteral values: JSONValue...) { self = .list(values) }
  init(booleanLiteral flag: Bool) { self = .flag(flag) }
  init(integerLiteral number: Int) { self = .number(number) }

  /// An object with more in it; what is no object is itself.
  func with(_ more: [String: JSONValue]) -> JSONValue {
    guard case .object(let pairs) = self else { return self }
    return .object(pairs.merging(more) { $1 })
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .text(let text): try container.encode(text)
    case .object(let pairs): try container.encode(pairs)
    case .list(let values): try container.encode(values)
    case .flag(let flag): try container.encode(flag)
    case .number(let number): try container.encode(number)
    }
  }
}
