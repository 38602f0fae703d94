/// A piece of a statement: text, and the parameters it takes.
///
/// Written as an interpolated literal in which names and parameters are typed. A `String` cannot be interpolated, so
/// a value can reach the text only as a parameter, and a name only through ``Identifier/quoted``:
///
/// ```swift
/// let mine: SQL = "SELECT \(column) FROM \(table) WHERE \(id) = \(Parameter.ids)"
/// ```
///
/// A fragment of several lines that is interpolated into another takes on the indentation of its line.
public struct SQL: Sendable, ExpressibleByStringInterpolation {
  private(set) var segments: [Segment]

  enum Segment: Sendable, Hashable {
    case text(String)
    case parameter(Parameter)
  }

  public init(stringLiteral text: String) { segments = [.text(text)] }
  public init(stringInterpolation: StringInterpolation) {
    segments = stringInterpolation.segments
  }

  public struct StringInterpolation: StringInterpolationProtocol {
    var segments: [Segment] = []
    /// The white space that the line being written began with.
    private var indentation = ""
    private var lineHasBegun = false

    public init(literalCapacity: Int, interpolationCount: Int) {}

    public mutating func appendLiteral(_ literal: String) {
      segments.append(.text(literal))
      var line = literal.utf8[...]
      if let lineBreak = line.lastIndex(of: newline) {
        line = line[line.index(after: lineBreak)...]
        (indentation, lineHasBegun) = ("", false)
      }
      guard !lineHasBegun else { return }
      let spaces = line.prefix { $0 == UInt8(ascii: " ") }.count
      indentation += String(repeating: " ", count: spaces)
      lineHasBegun = spaces < line.count
    }

    public mutating func appendInterpolation(_ fragment: SQL) {
      for segment in fragment.segments {
        guard case .text(let text) = segment, !indentation.isEmpty, text.utf8.contains(newline)
        else {
          segments.append(segment)
          continue
        }
        segments.append(.text(indented(text)))
      }
    }

    /// By bytes: statements are composed while corrections are written, and `replacing` took most of their time.
    private func indented(_ text: String) -> String {
      var bytes: [UInt8] = []
      bytes.reserveCapacity(text.utf8.count * 2)
      for byte in text.utf8 {
        bytes.append(byte)
        if byte == newline { bytes.append(contentsOf: indentation.utf8) }
      }
      return String(decoding: bytes, as: UTF8.self)
    }

    public mutating func appendInterpolation(_ identifier: Identifier) {
      segments.append(.text(identifier.quoted))
    }

    public mutating func appendInterpolation(_ table: TableName) {
      segments.append(.text(table.description))
    }

    public mutating func appendInterpolation(_ column: Column) {
      segments.append(.text(column.name.quoted))
    }

    public mutating func appendInterpolation(_ type: ColumnType) {
      segments.append(.text(type.sql))
    }

    public mutating func appendInterpolation(_ parameter: Parameter) {
      segments.append(.parameter(parameter))
    }

    public mutating func appendInterpolation(_ number: Int) {
      segments.append(.text(String(number)))
    }

    /// A string constant of the *code*, never of input; quoted as PostgreSQL's manual, 4.1.2.1, says.
    public mutating func appendInterpolation(literal: StaticOrDeclared) {
      segments.append(.text("'" + literal.text.replacing("'", with: "''") + "'"))
    }
  }

  /// Fragments one after another with a separator, which may contain a line break.
  public static func joined(_ fragments: [SQL], _ separator: SQL = ", ") -> SQL {
    guard let first = fragments.first else { return "" }
    return fragments.dropFirst().reduce(first) { $0 + separator + $1 }
  }

  /// The same with its parameters written as something else, as the body of a function has its arguments. A parameter that the
  /// declaration fixes is a literal.
  func replacingParameters(_ written: (Parameter) -> SQL) -> SQL {
    var replaced: SQL = ""
    for segment in segments {
      switch segment {
      case .text: replaced.segments.append(segment)
      case .parameter(let parameter):
        let value: SQL =
          parameter.constant.map { "\(literal: .init(declared: $0))" } ?? written(parameter)
        replaced = replaced + "(\(value))::\(parameter.type)"
      }
    }
    return replaced
  }

  public static func + (a: SQL, b: SQL) -> SQL {
    var sum = a
    sum.segments += b.segments
    return sum
  }
}

/// A text that comes from the declarations or the code, and so may stand in a statement as a literal: the code of a
/// period type, the bound of a partition. DDL takes no parameters.
public struct StaticOrDeclared: Sendable {
  let text: String

  init(_ type: PeriodType) { text = type.code }
  init(_ date: CalendarDate) { text = date.description }
  init(_ period: Period) { text = period.description }
  init(codeOf source: Source) { text = String(source.code) }
  init(_ text: StaticString) { self.text = text.description }
  init(_ change: Ledger.Change) { text = change.rawValue }
  /// The name of a rollup.
  init(nameOf table: any PeriodTable) { text = table.name }
  init(nameOf column: Column) { text = column.name.name }
  /// A name that the database's own catalogue or the declarations have.
  init(found name: String) { text = name }
  /// A name that a declaration gives.
  init(declared name: String) { text = name }
}

private let newline = UInt8(ascii: "\n")
