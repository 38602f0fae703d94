import Foundation

/// An instant, in microseconds since 1970-01-01 00:00 UTC.
typealias Micros = Int64

/// A whole health programme in memory: what the oracle counts and what a database is filled with.
struct Programme {
  struct Facility {
    var id: UUID
    var name: String
    var state: String
    var district: String
    var block: String?
    var isDeleted = false

    /// From its id, so that the draws of everything else are what they were before there were sizes.
    var size: String? {
      ["large", "medium", "small", "community", "mobile", nil][Int(id.uuid.15) % 6]
    }
  }

  struct Patient {
    var id: UUID
    var registeredAt: Micros?
    var registrationFacility: UUID?
    var assignedFacility: UUID?
    var isHypertensive = true
    var diedAt: Micros?
    var isDeleted = false
  }

  struct Reading {
    var id: UUID
    var patient: UUID
    var systolic: Int
    var diastolic: Int
    var recordedAt: Micros?
    var isDeleted = false
  }

  struct Visit {
    var id: UUID
    var patient: UUID
    var visitedAt: Micros?
    var isDeleted = false
  }

  /// An IANA name.
  var timeZone: String
  var facilities: [Facility] = []
  var patients: [Patient] = []
  var readings: [Reading] = []
  var visits: [Visit] = []
}

/// Reads clocks in a reporting time zone, by Foundation's time zone data.
struct ReportingClock {
  let zone: TimeZone

  init(_ name: String) {
    guard let zone = TimeZone(identifier: name) else { fatalError("no time zone \(name)") }
    self.zone = zone
  }

  /// year * 12 + month, month from 0.
  func month(_ instant: Micros) -> Int {
    let seconds = Int((Double(instant) / 1_000_000).rounded(.down))
    let offset = zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(seconds)))
    var time = time_t(seconds + offset)
    var fields = tm()
    gmtime_r(&time, &fields)
    return (Int(fields.tm_year) + 1900) * 12 + Int(fields.tm_mon)
  }

  /// The first instant of a month.
  func start(ofMonth month: Int) -> Micros {
    var fields = tm()
    fields.tm_year = Int32(month / 12 - 1900)
    fields.tm_mon = Int32(month % 12)
    fields.tm_mday = 1
    let local = timegm(&fields)
    // Where two offsets are possible the one of the hour before decides; no zone tested changes at
    // such a midnight.
    let offset = zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(local)))
    let first = local - offset
    let settled = zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(first)))
    return Micros(local - settled) * 1_000_000
  }
}
