import PeriodRollups
import Postgres

/// A projection's rows in a lens, as values, in the order of the key.
///
/// They are read some thousand at a time, as the loop asks for them, and no connection is held between: each part is as of
/// its reading.
public struct ProjectedRows<P: Projectable>: AsyncSequence, Sendable {
  public typealias Element = P

  let projector: Projector
  let lens: Projection.Lens
  /// Rows that were read already: all of them.
  let first: Rows?

  init(_ projector: Projector, _ lens: Projection.Lens, first: Rows? = nil) {
    self.projector = projector
    self.lens = lens
    self.first = first
  }

  public func makeAsyncIterator() -> Iterator { Iterator(self) }

  /// All of them.
  public func all() async throws -> [P] {
    var all: [P] = []
    for try await row in self { all.append(row) }
    return all
  }

  public struct Iterator: AsyncIteratorProtocol {
    private let rows: ProjectedRows
    private var part: Rows?
    private var position = 0
    private var isLast = false

    init(_ rows: ProjectedRows) {
      self.rows = rows
      part = rows.first
      isLast = rows.first != nil
    }

    public mutating func next() async throws -> P? {
      while true {
        if let part, position < part.count {
          defer { position += 1 }
          return try P(part[position])
        }
        if isLast { return nil }
        let next = try await rows.part(after: part?.last)
        isLast = P.projection.key.isEmpty || next.count < ProjectedRows.partSize
        part = next
        position = 0
      }
    }
  }

  private static var partSize: Int { 5000 }

  private func part(after last: Row?) async throws -> Rows {
    let projection = try projector.graph.projection(P.projection.name)
    var query = try projector.rowsQuery(projection, lens)
    if !projection.key.isEmpty {
      query = Query(
        text:
          "SELECT * FROM (\(query.text)) AS r\(after(last, projection, &query))\nORDER BY \(key(projection))\nLIMIT \(Self.partSize)",
        binds: query.binds)
    }
    return try await projector.pool.withConnection { try await $0.prepared(query) }
  }

  private func key(_ projection: Projection) -> String {
    projection.key.map { "r.\($0.name)" }.joined(separator: ", ")
  }

  private func after(_ last: Row?, _ projection: Projection, _ query: inout Query) -> String {
    guard let last else { return "" }
    let places = projection.key.compactMap { projection.columns.firstIndex(of: $0) }
    let first = query.binds.count
    query.binds += places.map { last[$0] }
    let parameters = places.indices.map { "$\(first + $0 + 1)" }.joined(separator: ", ")
    return "\nWHERE (\(key(projection))) > (\(parameters))"
  }
}
