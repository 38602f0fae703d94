import Foundation
import Hypertension
import Reports

/// The API as OpenAPI 3.0 describes it; made from the reports that there are.
struct OpenAPI {
  /// Those that the service can write.
  let formats: [ServedFormat]

  var text: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    return (try? encoder.encode(document)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
  }

  private var document: JSONValue {
    [
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
        "schemas": .object(Self.schemas),
      ],
    ]
  }

  // MARK: Paths

  private var paths: [String: JSONValue] {
    var paths: [String: JSONValue] = [
      "/api/v1/openapi.json": Self.get(
        "This document", Self.found(["type": "object"]), isOpen: true),
      "/api/v1/me": Self.get("What the token opens", Self.found(Self.ref("Token"))),
      "/api/v1/periods": Self.get(
        "The periods there are, and which are closed", Self.found(Self.list(of: "Period"))),
      "/api/v1/facilities": Self.get(
        "The facilities that the token opens", Self.found(Self.list(of: "Facility"))),
      "/api/v1/reports": Self.get(
        "The reports there are", Self.found(Self.list(of: "ReportEntry"))),
      "/api/v1/lists/recall": Self.get(
        "Whom to call today, most urgent first. That the list was read goes on record",
        taking: Self.region + [format(among: listFormats)], file("The list", listFormats)),
      "/api/v1/lists/patients": Self.get(
        "The patients behind a figure. That the list was read goes on record",
        taking: [
          Self.period,
          Self.parameter(
            "figure", "The figure", Self.names(API.listed.map(\.rawValue)), isRequired: true),
          Self.view(isCompared: false),
        ] + Self.region + [format(among: listFormats)], file("The list", listFormats)),
    ]
    for report in API.reports { paths["/api/v1/reports/\(report.name)"] = path(of: report) }
    return paths
  }

  private var listFormats: [ServedFormat] { formats.filter { !$0.isOfFigures } }

  private func path(of report: Report) -> JSONValue {
    let taken = report.parameters
    var parameters = [Self.period] + Self.region
    if taken.contains(.trend) {
      parameters.append(
        Self.parameter(
          "trend", "How many periods, the named one the last of them; by itself \(report.trend)",
          [
            "type": "integer", "minimum": .number(Asking.trend.lowerBound),
            "maximum": .number(Asking.trend.upperBound),
          ]))
    }
    if taken.contains(.by) {
      parameters.append(
        Self.parameter(
          "by", "What there is a row for", Self.names(RegionLevel.allCases.map(\.rawValue))))
    }
    if taken.contains(.figures) { parameters.append(Self.figures(of: report)) }
    if taken.contains(.edition) {
      parameters.append(Self.view(isCompared: taken.contains(.compare)))
    }
    if taken.contains(.suppressBelow) {
      parameters.append(
        Self.parameter(
          "suppress-below", "Hide counts of fewer people",
          ["type": "integer", "minimum": 2, "maximum": 1000]))
    }
    var responses = file(
      "The report. Of closed periods alone it has an ETag, and is not made again for one who has it",
      formats)
    responses["304"] = ["description": "The copy of that ETag is still right."]
    return Self.get(report.summary, taking: parameters + [format(among: formats)], responses)
  }

  // MARK: Parameters

  private static let period = parameter(
    "period", "A quarter or a month",
    [
      "type": "string", "example": "2024Q2",
      "pattern": "^[12][0-9]{3}(Q[1-4]|-(0[1-9]|1[0-2]))$",
    ], isRequired: true)

  private static let region: [JSONValue] = [
    parameter("state", "Only this state", name), parameter("district", "Only this district", name),
    parameter("block", "Only this block", name),
    parameter("facility", "Only this facility, by name or id", name),
  ]

  private static let name: JSONValue = [
    "type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[^\\u0000]*$",
  ]

  /// A ranking is by one figure, other reports have any number.
  private static func figures(of report: Report) -> JSONValue {
    let all = names(report.choosable.map(\.name))
    guard report.name != FacilitiesReport.report.name else {
      return parameter("figures", "The rate that facilities are ranked by", all)
    }
    return parameter(
      "figures", "These figures, with commas between them",
      ["type": "array", "items": all, "minItems": 1, "uniqueItems": true]
    ).with(["style": "form", "explode": false])
  }

  private static func view(isCompared: Bool) -> JSONValue {
    let words = "published|known-now|" + (isCompared ? "compare|" : "")
    return parameter(
      "view",
      "Of closed periods: the last edition, which is the default, another one, or what would be published today"
        + (isCompared ? ", or both and the difference" : ""),
      ["type": "string", "pattern": .text("^(\(words)edition-[1-9][0-9]{0,3})$")])
  }

  private func format(among formats: [ServedFormat]) -> JSONValue {
    Self.parameter(
      "format", "How it is written; by itself json", Self.names(formats.map(\.rawValue)))
  }

  // MARK: Answers

  /// An answer in any of the formats.
  private func file(_ description: String, _ formats: [ServedFormat]) -> [String: JSONValue] {
    var contents: [String: JSONValue] = [:]
    for format in formats {
      let type = format.mediaType.split(separator: ";").first.map(String.init) ?? ""
      var schema: JSONValue = ["type": "string", "format": "binary"]
      if type == "application/json" {
        // Of DHIS2 there are other objects of the same type.
        schema = formats.contains(.dhis2) ? ["type": "object"] : Self.ref("Report")
      }
      contents[type] = ["schema": schema]
    }
    return ["200": ["description": .text(description), "content": .object(contents)]]
  }

  private static let schemas: [String: JSONValue] = [
    "Error": object(["error": string, "request_id": string]),
    "Token": object(
      [
        "id": string, "name": string, "opens": string, "reads_lists": ["type": "boolean"],
        "expires_at": string,
      ], optional: ["state", "district", "block", "facility", "facility_id"]),
    "Period": object(
      [
        "period": string, "status": names(["open", "closed"]),
        "ends_on": string, "closes_on": string, "edition": ["type": "integer", "minimum": 0],
      ], optional: ["progress", "digest", "closed_at"]),
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

  // MARK: Parts

  private static let string: JSONValue = ["type": "string"]

  private static func ref(_ name: String) -> JSONValue {
    ["$ref": .text("#/components/schemas/\(name)")]
  }

  private static func list(of name: String) -> JSONValue {
    ["type": "array", "items": ref(name)]
  }

  private static func names(_ names: [String]) -> JSONValue {
    ["type": "string", "enum": .list(names.map { .text($0) })]
  }

  private static func object(
    _ properties: [String: JSONValue], optional: [String] = []
  ) -> JSONValue {
    let others = optional.map { ($0, string) }
    return [
      "type": "object", "properties": .object(properties.merging(others) { first, _ in first }),
      "required": .list(properties.keys.sorted().map { .text($0) }),
    ]
  }

  private static func parameter(
    _ name: String, _ description: String, _ schema: JSONValue, isRequired: Bool = false
  ) -> JSONValue {
    [
      "name": .text(name), "in": "query", "description": .text(description),
      "schema": schema, "required": .flag(isRequired),
    ]
  }

  private static func content(_ schema: JSONValue) -> JSONValue {
    ["application/json": ["schema": schema]]
  }

  private static func found(_ schema: JSONValue) -> [String: JSONValue] {
    ["200": ["description": "Found", "content": content(schema)]]
  }

  private static func get(
    _ summary: String, taking parameters: [JSONValue] = [], _ found: [String: JSONValue],
    isOpen: Bool = false
  ) -> JSONValue {
    var responses = found
    for (status, description) in [
      ("400", "The question means nothing"), ("401", "No token that holds"),
      ("403", "The token does not open that"), ("404", "There is no such thing"),
      ("429", "Too often"), ("503", "The database does not answer"),
    ] {
      responses[status] = [
        "description": .text(description), "content": content(ref("Error")),
      ]
    }
    let operation: JSONValue = [
      "summary": .text(summary), "parameters": .list(parameters),
      "responses": .object(responses),
    ]
    return ["get": isOpen ? operation.with(["security": []]) : operation]
  }
}
