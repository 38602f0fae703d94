import CSV

/// Reads bytes as one file, cut into chunks of the given sizes, the last of them as long as it
/// takes.
func read(_ bytes: [UInt8], chunks: [Int] = []) throws -> [CSVRecord] {
  let parser = CSVParser()
  var records: [CSVRecord] = []
  var rest = bytes[...]
  for size in chunks {
    try parser.feed(rest.prefix(size)) { records.append($0) }
    rest = rest.dropFirst(size)
  }
  try parser.feed(rest) { records.append($0) }
  try parser.finish { records.append($0) }
  return records
}

func read(_ text: String) throws -> [CSVRecord] { try read(Array(text.utf8)) }

/// Fields that a parser can trip over, and some that it cannot.
struct RandomFields {
  var random: SeededGenerator

  init(seed: UInt64) { random = SeededGenerator(state: seed) }

  mutating func field() -> String {
    let parts = [
      "\"", ",", "\n", "\r", "\r\n", " ", "\t", "'", "=", "-", "a", "12", "é", "日本", "ਪੰਜਾਬ", "👩‍👩‍👧",
      "\u{FEFF}",
      "\u{0}", ";",
    ]
    return (0..<Int.random(in: 0...5, using: &random))
      .map { _ in parts.randomElement(using: &random) ?? "" }.joined()
  }

  mutating func table() -> [[String]] {
    (0..<Int.random(in: 1...6, using: &random)).map { _ in
      (0..<Int.random(in: 1...4, using: &random)).map { _ in field() }
    }
  }
}

/// SplitMix64: the same seed, the same test.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
