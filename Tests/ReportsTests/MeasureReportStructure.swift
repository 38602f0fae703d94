import Foundation

/// What FHIR R4 says a MeasureReport must have (hl7.org/fhir/R4/measurereport.html, the resource's own definition), as far
/// as ours use it: elements, cardinalities, codes.
enum MeasureReportStructure {
  static func problems(_ report: [String: Any]) -> [String] {
    var problems: [String] = []
    func require(_ condition: Bool, _ what: String) { if !condition { problems.append(what) } }
    let known: Set = [
      "resourceType", "id", "status", "type", "measure", "reporter", "period", "group",
    ]
    require(Set(report.keys).isSubset(of: known), "elements \(report.keys.sorted())")
    require(report["resourceType"] as? String == "MeasureReport", "resourceType")
    let id = report["id"] as? String ?? ""
    require(id.wholeMatch(of: /[A-Za-z0-9\-.]{1,64}/) != nil, "id")
    require(["complete", "pending", "error"].contains(report["status"] as? String ?? ""), "status")
    require(report["type"] as? String == "summary", "type")
    require((report["measure"] as? String ?? "").hasPrefix("urn:"), "measure is a canonical URL")
    let period = report["period"] as? [String: String] ?? [:]
    for end in ["start", "end"] {
      require((period[end] ?? "").wholeMatch(of: /\d{4}-\d{2}-\d{2}/) != nil, "period.\(end)")
    }
    require((period["start"] ?? "") <= (period["end"] ?? ""), "per-1")
    let reporter = report["reporter"] as? [String: Any] ?? [:]
    require(reporter["display"] is String, "reporter")
    for group in report["group"] as? [[String: Any]] ?? [] {
      require(Set(group.keys).isSubset(of: ["code", "population", "measureScore"]), "group")
      require(isConcept(group["code"]), "group.code")
      for population in group["population"] as? [[String: Any]] ?? [] {
        require(Set(population.keys).isSubset(of: ["code", "count", "_count"]), "population")
        require(isConcept(population["code"]), "population.code")
      }
      if let score = group["measureScore"] as? [String: Any] {
        let isMasked = score["extension"] != nil
        require(isMasked != (score["value"] is NSNumber), "measureScore has a value or a reason")
        require(isMasked || score["system"] as? String == "http://unitsofmeasure.org", "qty-3")
      }
    }
    return problems
  }

  private static func isConcept(_ object: Any?) -> Bool {
    let coding = (object as? [String: Any])?["coding"] as? [[String: Any]]
    return coding?.allSatisfy { $0["system"] is String && $0["code"] is String } ?? false
  }
}
