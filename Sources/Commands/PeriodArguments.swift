import ArgumentParser
import PeriodRollups

extension Period: ExpressibleByArgument {
  /// `2024-06` or `2024Q2`. Options use ``parse(_:)`` so that the message says what was wrong.
  public init?(argument: String) {
    guard let period = try? Period(parsing: argument) else { return nil }
    self = period
  }

  /// For an option's `transform`.
  @Sendable public static func parse(_ text: String) throws -> Period {
    do {
      return try Period(parsing: text)
    } catch {
      throw ValidationError(error.description)
    }
  }
}

/// `--quarter` or `--month`: one period.
public struct PeriodOptions: ParsableArguments {
  @Option(help: "A quarter, such as 2024Q2.", transform: { try Period.parse($0, as: .quarter) })
  public var quarter: Period?

  @Option(help: "A month, such as 2024-06.", transform: { try Period.parse($0, as: .month) })
  public var month: Period?

  public init() {}

  /// The one that was named, if any.
  public var period: Period? { quarter ?? month }

  /// - Throws: `ValidationError` unless exactly one was named.
  public func one() throws -> Period {
    guard let period, (quarter == nil) != (month == nil) else {
      throw ValidationError("name one period, for example --quarter 2024Q2 or --month 2024-06")
    }
    return period
  }
}

/// `--from` and `--to`.
public struct SpanOptions: ParsableArguments {
  @Option(help: "The first month or quarter, such as 2020-01 or 2020Q1.", transform: Period.parse)
  public var from: Period?

  @Option(help: "The last one, itself included.", transform: Period.parse)
  public var to: Period?

  public init() {}

  /// Whether any end is named.
  public var isGiven: Bool { from != nil || to != nil }

  public func validate() throws {
    if let from, let to, PeriodSpan(from: from, through: to) == nil {
      throw ValidationError("--to \(to) ends before --from \(from) begins")
    }
  }

  /// What the options name; an end that is not given is the given one.
  public func span(from first: Period, to last: Period) throws -> PeriodSpan {
    let (from, to) = (from ?? first, to ?? last)
    guard let span = PeriodSpan(from: from, through: to) else {
      throw Failure.usage("--from \(from) begins after \(to) ends")
    }
    return span
  }
}

extension Period {
  /// For an option's `transform` that wants one type.
  public static func parse(_ text: String, as type: PeriodType) throws -> Period {
    do {
      return try Period(parsing: text, as: type)
    } catch {
      throw ValidationError(error.description)
    }
  }
}
