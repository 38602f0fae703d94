import Foundation
import Hypertension
import Reports

/// The API as OpenAPI 3.0 describes it; made from the reports that there are.
enum OpenAPI {
  static let text: String = {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    return (try? encoder.encode(document)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
  }()

  /// JSON, to write it down.
  indirect enum Value: Encodable, ExpressibleByStringLiteral, ExpressibleByDictionaryLiteral,
    ExpressibleByArrayLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral
  {
    case text(String)
    case object([String: Value])
    case list([Value])
    case flag(Bool)
    case number(Int)

    init(stringLiteral text: String) { self = .text(text) }
    init(dictionaryLiteral pairs: (String, Value)...) {
      self = .object(Dictionary(pairs) { $1 })
    }
    init(arrayLiteral values: Value...) { self = .list(values) }
    init(booleanLiteral flag: Bool) { self = .flag(flag) }
    init(integerLiteral number: Int) { self = .number(number) }

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

  private static let document: Value = [
    "openapi": "3.0.3",
    "info": [
      "title": "Hypertension control", "version": "1",
      "description":
        "Figures of regions and facilities. Every answer is narrowed to what the token opens, by the database itself.",
    ],
    "security": [["token": []]],
    "paths": .object(paths),
    "components": [
      "securitySchemes": ["token": ["type": "http", "scheme": "bearer"]],
      "schemas": .object(schemas),
    ],
  ]

  private static let paths: [String: Value] = [
    "/api/v1/openapi.json": ["get": itself],
    "/api/v1/me": ["get": operation("What the token opens", [], ok(ref("Token")))],
    "/api/v1/periods": [
      "get": operation(
        "The periods there are, and which are closed", [], ok(list(of: "Period")))
    ],
    "/api/v1/facilities": [
      "get": operation("The facilities that the token opens", [], ok(list(of: "Facility")))
    ],
    "/api/v1/reports": [
      "get": operation("The reports there are", [], ok(list(of: "ReportEntry")))
    ],
    "/api/v1/reports/{name}": ["get": report],
  ]

  private static let itself = operation(
    "This document", [], ok(["type": "object"]), security: [])

  private static let schemas: [String: Value] = [
    "Error": object(["error": string, "request_id": string]),
    "Token": object(
      [
        "id": string, "name": string, "opens": string, "reads_lists": ["type": "boolean"],
        "expires_at": string,
      ], optional: ["state", "district", "block", "facility_id"]),
    "Period": object(
      [
        "period": string, "status": names(["open", "closed"]),
        "edition": ["type": "integer", "minimum": 0],
      ], optional: ["digest", "closed_at"]),
    "Facility": object(
      ["id": string, "name": string, "state": string, "district": string], optional: ["block"]),
    "ReportEntry": object(["name": string, "title": string, "summary": string]),
    "Report": [
      "type": "object",
      "description": "The report's facts by name, and its rows by the columns' names.",
      "required": ["report", "rows"],
      "properties": [
        "report": string, "rows": ["type": "array", "items": ["type": "object"]],
      ],
    ],
  ]

  private static let report: Value = operation(
    "A report, in any format. Lists of patients go on record.",
    [
      parameter(
        "name", "path", "The report", names(API.reports.map(\.name)), required: true),
      parameter(
        "period", "query",
        "A quarter or a month; of several periods the last. Every report but 'recall' needs it",
        ["type": "string", "example": "2024Q2", "pattern": "^[0-9]{4}(Q[1-4]|-(0[1-9]|1[0-2]))$"]),
      parameter(
        "trend", "query", "How many periods", ["type": "integer", "minimum": 1, "maximum": 36]),
      parameter("state", "query", "Only this state", string),
      parameter("district", "query", "Only this district", string),
      parameter("block", "query", "Only this block", string),
      parameter("facility", "query", "Only this facility, by name or id", string),
      parameter(
        "by", "query", "What there is a row for", names(RegionLevel.allCases.map(\.rawValue))),
      parameter("figures", "query", "These figures, by name, with commas between them", string),
      parameter(
        "view", "query", "Of a closed period the figures as published, or as known now",
        names(Asking.View.allCases.map(\.rawValue))),
      parameter(
        "edition", "query", "An edition of a closed period",
        ["type": "integer", "minimum": 1, "maximum": 10000]),
      parameter(
        "compare", "query", "Published, known now and the difference", names(["true", "false"])),
      parameter(
        "suppress-below", "query", "Hide counts of fewer people",
        ["type": "integer", "minimum": 2, "maximum": 1000]),
      parameter(
        "patients", "query", "The patients behind a figure, instead",
        names(Indicator.allCases.map(\.rawValue))),
      parameter(
        "format", "query", "Default: json", names(ServedFormat.allCases.map(\.rawValue))),
    ],
    [
      "200": [
        "description": "The report. Of closed periods alone it has an ETag.",
        "content": .object(
          Dictionary(
            ServedFormat.allCases.map { format -> (String, Value) in
              let type = format.mediaType.split(separator: ";")[0]
              let schema: Value =
                type == "application/json" ? ref("Report") : ["type": "string", "format": "binary"]
              return (String(type), ["schema": schema])
            }
          ) { first, _ in first }),
      ],
      "304": ["description": "The copy of that ETag is still right."],
    ])

  // MARK: Parts

  private static let string: Value = ["type": "string"]

  private static func ref(_ name: String) -> Value {
    .object(["$ref": .text("#/components/schemas/\(name)")])
  }

  private static func list(of name: String) -> Value {
    ["type": "array", "items": ref(name)]
  }

  private static func json(_ schema: Value) -> Value {
    ["application/json": ["schema": schema]]
  }

  private static func ok(_ schema: Value) -> [String: Value] {
    ["200": ["description": "Found", "content": json(schema)]]
  }

  private static func names(_ names: [String]) -> Value {
    ["type": "string", "enum": .list(names.map { .text($0) })]
  }

  private static func object(_ properties: [String: Value], optional: [String] = []) -> Value {
    let all = properties.merging(optional.map { ($0, string) }) { first, _ in first }
    return [
      "type": "object", "properties": .object(all),
      "required": .list(properties.keys.sorted().map { .text($0) }),
    ]
  }

  private static func parameter(
    _ name: String, _ place: String, _ description: String, _ schema: Value, required: Bool = false
  ) -> Value {
    [
      "name": .text(name), "in": .text(place), "description": .text(description),
      "schema": schema, "required": .flag(required),
    ]
  }

  private static func operation(
    _ summary: String, _ parameters: [Value], _ found: [String: Value], security: Value? = nil
  ) -> Value {
    var responses = found
    for (status, description) in [
      ("400", "The question means nothing"), ("401", "No token that holds"),
      ("403", "The token does not open that"), ("404", "There is no such thing"),
      ("429", "Too often"), ("503", "The database does not answer"),
    ] {
      responses[status] = [
        "description": .text(description), "content": json(ref("Error")),
      ]
    }
    var operation: [String: Value] = [
      "summary": .text(summary), "parameters": .list(parameters), "responses": .object(responses),
    ]
    if let security { operation["security"] = security }
    return .object(operation)
  }
}
