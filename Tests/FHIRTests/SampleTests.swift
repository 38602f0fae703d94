import FHIR
import Foundation
import Input
import Testing

/// The real sample beside the project; its README has the counts.
@Suite("The Synthea sample")
struct SampleTests {
  private static let folder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "shared/data/synthea-r4").path

  /// nil, and a line saying so, where the sample is not.
  private func resources(_ type: String) throws -> [Resource]? {
    let path = "\(Self.folder)/\(type).ndjson.gz"
    guard FileManager.default.fileExists(atPath: path) else {
      print("skipped: there is no sample at \(path)")
      return nil
    }
    let (lines, reader) = (try LineReader(path), FHIRReader())
    var resources: [Resource] = []
    while let line = try lines.next() {
      if let bytes = line.bytes, let resource = try reader.read(line: bytes) {
        resources.append(resource)
      }
    }
    return resources
  }

  @Test(
    "every resource is read, none rejected",
    arguments: [
      ("Patient", 615), ("Organization", 102), ("Encounter", 18_098), ("Condition", 161),
      ("Observation", 5_660),
      ("Immunization", 0),
    ])
  func counts(type: String, expected: Int) throws {
    guard let resources = try resources(type) else { return }
    #expect(resources.count == expected)
  }

  @Test(
    "the dead have dates, the readings encounters and times, the visits facilities of the sample")
  func contents() throws {
    guard let patients = try resources("Patient"), let facilities = try resources("Organization"),
      let visits = try resources("Encounter"), let readings = try resources("Observation")
    else { return }
    let dead = patients.filter {
      if case .patient(let it) = $0 { it.deceased != nil } else { false }
    }
    #expect(dead.count == 124)
    let known = Set(
      facilities.compactMap { if case .organization(let it) = $0 { it.id } else { nil } })
    for case .organization(let it) in facilities {
      #expect(it.state != "Unknown" && it.district != "Unknown")
    }
    for case .encounter(let it) in visits {
      #expect(it.start != nil && it.serviceProviderID.map(known.contains) == true)
    }
    for case .observation(let it) in readings {
      #expect(it.effective != nil && it.encounterID != nil && it.state == .final)
    }
  }
}
