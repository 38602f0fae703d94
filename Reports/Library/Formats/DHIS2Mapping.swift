import Foundation
import Hypertension

/// What is what in a DHIS2: which data element a figure is, and which organisation unit a facility or region. Read from a
/// file such as
///
/// ```json
/// {
///   "dataSet": "BfMAe6Itzgt",
///   "dataElements": {
///     "controlled": "fbfJHSPpUQD",
///     "missed_visit": { "dataElement": "cYeuwXTCPkU", "categoryOptionCombo": "pq2XI5kz2BY" }
///   },
///   "organisationUnits": { "6b7c…": "DiszpKrYNg8", "Punjab/Bathinda": "O6uvpzGd5pu" }
/// }
/// ```
public struct DHIS2Mapping: Sendable {
  let dataSet: String?
  let attributeOptionCombo: String?
  /// By the name of the figure's column.
  let dataElements: [String: Element]
  /// By the facility's id in lower case, or by a region: `all`, `Punjab`, `Punjab/Bathinda`, `Punjab/Bathinda/Maur` (``key(of:)``).
  let organisationUnits: [ExactText: String]

  /// A region's key, which no other has: a slash in a name is written `%2F`, and a per cent sign `%25`.
  /// - Parameter names: state, district and block, as far as it goes inwards.
  static func key(of names: [String]) -> ExactText {
    ExactText(
      names.map { $0.replacing("%", with: "%25").replacing("/", with: "%2F") }
        .joined(separator: "/"))
  }

  struct Element: Sendable {
    let dataElement: String
    let categoryOptionCombo: String?
  }

  /// A mapping that cannot be read.
  public struct Unreadable: Error, Hashable, CustomStringConvertible {
    public let description: String
  }

  /// - Throws: ``Unreadable``, which says where.
  public init(_ json: Data) throws(Unreadable) {
    let file: File
    do {
      file = try JSONDecoder().decode(File.self, from: json)
    } catch let error as DecodingError {
      throw Unreadable(description: "is not a mapping: \(Self.reason(error))")
    } catch {
      throw Unreadable(description: "is not a mapping")
    }
    dataSet = file.dataSet
    attributeOptionCombo = file.attributeOptionCombo
    dataElements = file.dataElements.mapValues(\.element)
    organisationUnits = Dictionary(
      file.organisationUnits.map {
        (ExactText(UUID(uuidString: $0) == nil ? $0 : $0.lowercased()), $1)
      }
    ) { first, _ in first }
    for key in file.organisationUnits.keys.sorted()
    where key.split(separator: "/", omittingEmptySubsequences: false).count > 3 {
      throw Unreadable(
        description:
          "the organisation unit '\(key)' has more names than state, district and block; a slash in a name is written %2F"
      )
    }
    let elements = dataElements.flatMap { [($0, $1.dataElement), ($0, $1.categoryOptionCombo)] }
    let rest: [(String, String?)] = [
      ("dataSet", dataSet), ("attributeOptionCombo", attributeOptionCombo),
    ]
    let all = elements + organisationUnits.map { ($0.text, Optional($1)) } + rest
    for (name, uid) in all.sorted(by: { $0.0 < $1.0 }) {
      guard let uid, !Self.isUID(uid) else { continue }
      throw Unreadable(
        description:
          "the id '\(uid)' of '\(name)' is not one of DHIS2: a letter and ten letters or digits, such as fbfJHSPpUQD"
      )
    }
  }

  private struct File: Decodable {
    let dataSet: String?
    let attributeOptionCombo: String?
    let dataElements: [String: Entry]
    let organisationUnits: [String: String]
  }

  /// An id, or an object with one.
  private struct Entry: Decodable {
    let element: Element

    init(from decoder: any Decoder) throws {
      if let id = try? decoder.singleValueContainer().decode(String.self) {
        element = Element(dataElement: id, categoryOptionCombo: nil)
        return
      }
      let fields = try decoder.container(keyedBy: Keys.self)
      element = Element(
        dataElement: try fields.decode(String.self, forKey: .dataElement),
        categoryOptionCombo: try fields.decodeIfPresent(
          String.self, forKey: .categoryOptionCombo))
    }

    private enum Keys: CodingKey { case dataElement, categoryOptionCombo }
  }

  /// DHIS2's documentation, "Identifiers".
  private static func isUID(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    func isLetter(_ byte: UInt8) -> Bool {
      (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }
    return bytes.count == 11 && isLetter(bytes[0])
      && bytes.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) }
  }

  private static func reason(_ error: DecodingError) -> String {
    func path(_ context: DecodingError.Context) -> String {
      let names = context.codingPath.map(\.stringValue)
      return names.isEmpty ? "" : " at \(names.joined(separator: "."))"
    }
    switch error {
    case .keyNotFound(let key, let context):
      return "'\(key.stringValue)' is missing\(path(context))"
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      return "an id is text, dataElements and organisationUnits are objects\(path(context))"
    default: return "it is not JSON"
    }
  }
}
