/// The prepared statements of one session, by their text and the types of their parameters.
///
/// Bounded, because each costs the server memory: the one that was used least recently makes room,
/// and ``takeEvicted()`` says what is to be deallocated.
struct StatementCache {
  struct Key: Hashable {
    let text: String
    let types: [PostgresType]

    init(_ query: Query) {
      text = query.text
      types = query.binds.map(\.type)
    }
  }

  private struct Entry {
    let name: String
    var lastUse: Int
  }

  private let capacity: Int
  private var entries: [Key: Entry] = [:]
  private var evicted: [String] = []
  private var clock = 0
  private var lastName = 0

  init(capacity: Int) { self.capacity = max(1, capacity) }

  var count: Int { entries.count }

  /// The name under which the statement has been prepared.
  mutating func name(of key: Key) -> String? {
    clock += 1
    guard let index = entries.index(forKey: key) else { return nil }
    entries.values[index].lastUse = clock
    return entries.values[index].name
  }

  /// A new name for a statement that is about to be prepared.
  mutating func reserve(_ key: Key) -> String {
    if entries.count >= capacity,
      let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse })
    {
      entries[oldest.key] = nil
      evicted.append(oldest.value.name)
    }
    clock += 1
    lastName += 1
    let name = "s\(lastName)"
    entries[key] = Entry(name: name, lastUse: clock)
    return name
  }

  /// To be called when the statement could not be prepared.
  mutating func forget(_ key: Key) { entries[key] = nil }

  /// Makes the statement be prepared anew when it is next used.
  mutating func evict(_ key: Key) {
    guard let entry = entries.removeValue(forKey: key) else { return }
    evicted.append(entry.name)
  }

  /// The names that the server still keeps and this cache does not.
  mutating func takeEvicted() -> [String] {
    defer { evicted.removeAll() }
    return evicted
  }
}
