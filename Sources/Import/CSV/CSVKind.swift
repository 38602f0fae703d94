import Hypertension

/// The CSV files that are imported: their columns, what a value must be, and an example for
/// the template.
public enum CSVKind: String, CaseIterable, Sendable {
  case facilities, patients, readings
  case bloodSugars = "blood_sugars"
  case visits

  /// A column of one of the files.
  public struct Column: Sendable {
    /// As it is in the header.
    public let name: String
    /// The header must have it; its values may still be empty where `isRequired` is false.
    public let isRequired: Bool
    let value: Value
    /// Two rows that show how it is written.
    let examples: [String]

    init(_ name: String, _ value: Value, required: Bool = false, _ examples: String...) {
      (self.name, self.value, isRequired, self.examples) = (name, value, required, examples)
    }
  }

  enum Value: Sendable {
    case text, time, boolean
    /// Of a place (``PlaceName``).
    case name
    case pressure(Pressure)
    case measure(Measure)
    /// One of some words.
    case word([String])
  }

  /// In the order of the template.
  public var columns: [Column] {
    switch self {
    case .facilities:
      [
        Column("id", .text, required: true, "F001", "F002"),
        Column("name", .name, required: true, "PHC Neemgaon", "CHC Talakheda"),
        Column("state", .name, "Ambarvan", "Ambarvan"),
        Column("district", .name, "Arvigarh", "Arvigarh"),
        Column("block", .name, "Neemgaon", ""), Column("size", .name, "small", "medium"),
      ]
    case .patients:
      [
        Column("id", .text, required: true, "P001", "P002"),
        Column("registered_at", .time, "2024-01-15T09:30:00+05:30", "2024-02-01"),
        Column("registration_facility_id", .text, "F001", "F001"),
        Column("assigned_facility_id", .text, "F001", "F002"),
        Column("hypertensive", .boolean, "true", "false"), Column("died_at", .time, "", ""),
        Column("deleted_at", .time, "", ""),
      ]
    case .readings:
      [
        Column("id", .text, required: true, "B001", "B002"),
        Column("patient_id", .text, required: true, "P001", "P001"),
        Column("facility_id", .text, "F001", ""),
        Column("systolic", .pressure(.systolic), required: true, "148", "132"),
        Column("diastolic", .pressure(.diastolic), required: true, "92", "84"),
        Column("heart_rate", .measure(.heartRate), "72", ""),
        Column("recorded_at", .time, "2024-01-15T09:35:00+05:30", "2024-02-14 10:05"),
        Column("deleted_at", .time, "", ""),
      ]
    case .bloodSugars:
      [
        Column("id", .text, required: true, "S001", "S002"),
        Column("patient_id", .text, required: true, "P001", "P002"),
        Column("facility_id", .text, "F001", ""),
        Column("value", .measure(.bloodSugar), required: true, "126", "6.8"),
        Column(
          "type", .word(BloodSugar.Kind.allCases.map(\.rawValue)), required: true, "fasting",
          "hba1c"),
        Column("recorded_at", .time, "2024-01-15T09:40:00+05:30", "2024-02-14"),
        Column("deleted_at", .time, "", ""),
      ]
    case .visits:
      [
        Column("id", .text, required: true, "V001", "V002"),
        Column("patient_id", .text, required: true, "P001", "P002"),
        Column("facility_id", .text, "F001", "F002"),
        Column("visited_at", .time, "2024-03-12T11:00:00+05:30", "2024-03-15"),
        Column("deleted_at", .time, "", ""),
      ]
    }
  }

  /// A file to begin from: the header and two rows.
  public var template: String {
    ([columns.map(\.name)] + (0..<2).map { row in columns.map { $0.examples[row] } })
      .map { $0.joined(separator: ",") + "\n" }.joined()
  }
}

extension CSVKind: Rows {
  var name: String { rawValue }

  var copy: String {
    "COPY raw_\(rawValue) (file, line, \(columns.map(\.name).joined(separator: ", "))) FROM STDIN"
  }

  func reader(of path: String) -> any RowReader { CSVReader(self, path) }
}

extension CSVKind.Value {
  /// As it is copied; nil when it is not such a value.
  func canonical(_ text: String) -> String? {
    switch self {
    case .text: text.utf8.contains(0) ? nil : text
    case .name: text.utf8.contains(0) ? nil : PlaceName.normalised(text)
    case .time: TimeText.canonical(text)
    case .boolean:
      switch text.lowercased() {
      case "true", "yes", "1": "t"
      case "false", "no", "0": "f"
      default: nil
      }
    case .pressure(let pressure): pressure.whole(text).map(String.init)
    case .measure(let measure): measure.canonical(text)
    case .word(let words): words.first { $0 == text.lowercased() }
    }
  }

  var expected: String {
    switch self {
    case .text, .name: "expected text without NUL characters"
    case .time: TimeText.expected
    case .boolean: "expected true or false"
    case .pressure(let pressure): pressure.expected
    case .measure(let measure): measure.expected
    case .word(let words): "expected \(words.joined(separator: ", "))"
    }
  }
}
