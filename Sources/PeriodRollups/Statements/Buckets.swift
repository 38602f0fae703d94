/// Periods told by comparing instants with those at which periods begin, instead of asking the reporting time zone's clock
/// about each: a tenth of the time, where millions of events are looked at (docs/decisions/014).
///
/// Of each type the starts of consecutive periods are bound, null for those that are not asked for, and the instants at
/// which they begin, with the one at which the last ends.
public enum Buckets {
  /// The column that holds the start of the event's period of a type.
  static func column(_ type: PeriodType) -> Identifier {
    Identifier("start_\(type.code.lowercased())")
  }

  /// The start of the period of a type that an instant lies in; null outside of the periods asked for.
  static func start(of type: PeriodType, at instant: SQL) -> SQL {
    "(\(Parameter.starts(of: type)))[width_bucket(\(instant), \(Parameter.bounds(of: type)))]"
  }
}

extension Parameter {
  /// The first days of consecutive periods of a type; null for those that are not asked for.
  public static func starts(of type: PeriodType) -> Parameter {
    Parameter("\(type.rawValue)_starts", .array(.date))
  }

  /// The instants at which those periods begin, and the one at which the last ends.
  public static func bounds(of type: PeriodType) -> Parameter {
    Parameter("\(type.rawValue)_bounds", .array(.timestamptz))
  }

  /// The first day of the first period of a type that is asked for; null for none.
  public static func first(of type: PeriodType) -> Parameter {
    Parameter("first_\(type.rawValue)", .date)
  }

  /// The first day of the last period of a type that is asked for; null for none.
  public static func last(of type: PeriodType) -> Parameter {
    Parameter("last_\(type.rawValue)", .date)
  }

  /// The first days of those between that are not asked for.
  public static func gaps(of type: PeriodType) -> Parameter {
    Parameter("\(type.rawValue)_gaps", .array(.date))
  }
}

extension Buckets {
  /// The instants at which days begin on the reporting time zone's clock, and whether comparing with them is the same as
  /// asking the clock: `bounds`, `is_exact`.
  ///
  /// It is not where a clock was set back across the midnight that a day began with: by some quarters of an hour, as all
  /// clocks since 1990 that were. So that many of them on either side are looked at, for more than a day.
  public static var beginnings: Statement {
    Statement(
      "when periods begin",
      """
      SELECT array_agg(b.instant ORDER BY b.day) AS bounds, bool_and(
        (b.instant AT TIME ZONE \(Parameter.timeZone)) >= b.day
          AND ((b.instant - interval '1 microsecond') AT TIME ZONE \(Parameter.timeZone)) < b.day
          AND NOT EXISTS (
            SELECT FROM generate_series(1, 104) AS s (quarters)
            WHERE ((b.instant + s.quarters * interval '15 minutes') AT TIME ZONE \(Parameter.timeZone)) < b.day
              OR ((b.instant - s.quarters * interval '15 minutes') AT TIME ZONE \(Parameter.timeZone)) >= b.day
          )) AS is_exact
      FROM (
        SELECT t.day, t.day::timestamp AT TIME ZONE \(Parameter.timeZone) AS instant
        FROM unnest(\(Parameter.periodStarts)) AS t (day)
      ) AS b
      """)
  }
}
