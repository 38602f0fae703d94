import CSV
import RollupStore

/// Which column of a file holds which column of its kind.
struct CSVHeader {
  private let kind: CSVKind
  private let places: [Int?]
  private let width: Int

  /// - Throws: ``ImportFailure`` for a name that is missing, twice there or unknown, with the nearest one.
  init(_ kind: CSVKind, _ fields: [String], path: String) throws {
    let names = fields.map { $0.trimmed.lowercased() }
    let known = kind.columns.map(\.name)
    for (name, field) in zip(names, fields) where !known.contains(name) {
      let near = nearest(to: name, among: known, atMost: 1).first
      throw ImportFailure(
        "\(path): there is no column '\(field)'" + (near.map { "; did you mean \($0)?" } ?? "")
          + " The columns of \(kind.rawValue) are \(known.joined(separator: ", ")).")
    }
    if let twice = known.first(where: { name in names.count { $0 == name } > 1 }) {
      throw ImportFailure("\(path): the column \(twice) is there twice")
    }
    if let missing = kind.columns.first(where: { $0.isRequired && !names.contains($0.name) }) {
      throw ImportFailure(
        "\(path): the column \(missing.name) is missing; "
          + "'rollup import csv --template .' writes examples")
    }
    self.kind = kind
    places = known.map { names.firstIndex(of: $0) }
    width = fields.count
  }

  /// A record's fields as they are copied, nil where it says nothing.
  /// - Throws: ``CSVReject``.
  func fields(_ record: CSVRecord) throws -> [String?] {
    if let fault = record.fault { throw CSVReject(id: nil, reason: fault) }
    let id = places[0].flatMap {
      record.fields.indices.contains($0) ? record.fields[$0].trimmed : nil
    }
    guard record.fields.count == width else {
      throw CSVReject(id: id, reason: "expected \(width) fields, found \(record.fields.count)")
    }
    return try zip(kind.columns, places).map { column, place in
      let text = place.map { record.fields[$0].trimmed } ?? ""
      if text.isEmpty {
        if column.isRequired { throw CSVReject(id: id, reason: "\(column.name): it is empty") }
        return nil
      }
      guard let value = column.value.canonical(text) else {
        throw CSVReject(id: id, reason: "\(column.name): expected \(column.value.expected)")
      }
      return value
    }
  }
}

/// Why a record is rejected.
struct CSVReject: Error {
  let id: String?
  let reason: String
}

extension String {
  fileprivate var trimmed: String {
    guard first?.isWhitespace == true || last?.isWhitespace == true else { return self }
    return String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
  }
}
