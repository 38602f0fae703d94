/// A statement ready for any driver: text with `$1`, `$2`, … and what each stands for.
public struct Statement: Sendable, Hashable {
  /// What it does, in the words of the field: `lock the patients`, `add to blood-pressure`.
  public let name: String
  public let text: String
  /// In the order of their numbers. A parameter that is used twice has one number.
  public let parameters: [Parameter]

  public init(_ name: String, _ sql: SQL) {
    var parameters: [Parameter] = []
    var text = ""
    for segment in sql.segments {
      switch segment {
      case .text(let piece): text += piece
      case .parameter(let parameter):
        let number: Int
        if let known = parameters.firstIndex(of: parameter) {
          number = known + 1
        } else {
          parameters.append(parameter)
          number = parameters.count
        }
        text += "$\(number)::\(parameter.type.sql)"
      }
    }
    self.name = name
    self.text = text
    self.parameters = parameters
  }
}

extension Statement: CustomStringConvertible {
  /// The statement as one reads it in psql, with a comment that says what each parameter is.
  public var description: String {
    let legend = parameters.enumerated().map { index, parameter in
      "$\(index + 1) \(parameter.name)" + (parameter.constant.map { " = '\($0)'" } ?? "")
    }
    let heading = legend.isEmpty ? "-- \(name)" : "-- \(name): \(legend.joined(separator: ", "))"
    return "\(heading)\n\(text);\n"
  }
}
