import Foundation
import PeriodRollups
import Postgres
import RollupStore

// When is a patient due for what, and who has to be reminded? Read from the top: each projection reads those above it.
//
// What happens when a row of the practice's tables is deleted? Nothing here is told. The next time a lens with that patient
// is projected, each projection below derives the patient's rows again from what there is; a row that nothing gives any
// more is taken away, and one that stood second stands again. That is why no projection asks "is this newer than what I
// have?": it asks which of the rows that there *are* is the newest.

// MARK: What counts

/// Immunizations that were given, with the day they last until.
public enum DatedImmunizations {
  static let projection = Projection.virtual(
    "dated-immunizations", columns: dated("immunization_id", "given_on")
  ) {
    """
    SELECT i.organization_id, i.patient_id, i.product_id, i.given_on, i.immunization_id,
      coalesce(i.due_on, i.given_on + p.duration_days) AS due_on
    FROM \(Practice.immunizations) AS i
    JOIN \(whole: Practice.products) AS p ON p.product_id = i.product_id
    WHERE i.deleted_at IS NULL AND NOT i.is_declined
    """
  }
}

/// The same of order items.
public enum DatedOrderItems {
  static let projection = Projection.virtual(
    "dated-order-items", columns: dated("order_item_id", "ordered_on")
  ) {
    """
    SELECT o.organization_id, o.patient_id, o.product_id, o.ordered_on, o.order_item_id,
      coalesce(o.due_on, o.ordered_on + p.duration_days) AS due_on
    FROM \(Practice.orderItems) AS o
    JOIN \(whole: Practice.products) AS p ON p.product_id = o.product_id
    WHERE o.deleted_at IS NULL AND NOT o.is_declined
    """
  }
}

private func dated(_ id: Identifier, _ day: Identifier) -> [Column] {
  [
    Of.organization.column, Of.patient.column, Of.product.column, Column(day, .date),
    Column(id, .uuid), Practice.dueOn,
  ]
}

// MARK: The most recent of each

/// The last immunization of each patient with each product.
public struct MostRecentImmunization: Projectable {
  public static let projection = Projection.mostRecent(
    "most-recent-immunizations", table: "clinic.most_recent_immunizations",
    of: DatedImmunizations.projection,
    per: [Of.organization.column, Of.patient.column, Of.product.column],
    by: [Column("given_on", .date), Column("immunization_id", .uuid)], keeping: [Practice.dueOn],
    scopes: [Of.organization.column, Of.patient.column], unit: Of.patient.column)

  public let patientID: UUID
  public let productID: UUID
  public let givenOn: CalendarDay
  public let immunizationID: UUID
  /// Nil for a product that lasts for ever.
  public let dueOn: CalendarDay?

  public init(_ row: Row) throws {
    let organization: UUID
    (organization, patientID, productID, givenOn, immunizationID, dueOn) = try row.decode(
      (UUID, UUID, UUID, CalendarDay, UUID, CalendarDay?).self)
    _ = organization
  }
}

/// The last order item of each patient with each product.
public enum MostRecentOrderItem: Projected {
  public static let projection = Projection.mostRecent(
    "most-recent-order-items", table: "clinic.most_recent_order_items",
    of: DatedOrderItems.projection,
    per: [Of.organization.column, Of.patient.column, Of.product.column],
    by: [Column("ordered_on", .date), Column("order_item_id", .uuid)], keeping: [Practice.dueOn],
    scopes: [Of.organization.column, Of.patient.column], unit: Of.patient.column)
}

/// The last thing that was set by hand for each patient and protocol.
public enum MostRecentCustomPatientProtocol: Projected {
  static let counting = Projection.virtual(
    "counting-custom-protocols",
    columns: [
      Of.organization.column, Of.patient.column, Of.protocol.column, Column("done_on", .date),
      Column("custom_id", .uuid), Practice.dueOn,
    ]
  ) {
    """
    SELECT c.organization_id, c.patient_id, c.protocol_id, c.done_on, c.custom_id, c.due_on
    FROM \(Practice.customProtocols) AS c
    WHERE c.deleted_at IS NULL
    """
  }

  public static let projection = Projection.mostRecent(
    "most-recent-custom-patient-protocols", table: "clinic.most_recent_custom_patient_protocols",
    of: counting, per: [Of.organization.column, Of.patient.column, Of.protocol.column],
    by: [Column("done_on", .date), Column("custom_id", .uuid)], keeping: [Practice.dueOn],
    scopes: [Of.organization.column, Of.patient.column], unit: Of.patient.column)
}

// MARK: What was done for a protocol

/// When each protocol was last fulfilled for each patient, by whatever fulfils it: derived once for each input, and of the
/// rows that the three give for a patient and protocol the most recent stands.
public enum ProductProtocol: Projected {
  public static let projection = Projection.derived(
    "product-protocols", table: "clinic.product_protocols",
    columns: [
      Of.organization.column, Of.patient.column, Of.protocol.column, Column("done_on", .date),
      Practice.dueOn, Column("fulfilled_by", .text), Column("fulfilled_by_id", .uuid),
    ],
    key: [Of.patient.column, Of.protocol.column],
    scopes: [Of.organization.column, Of.patient.column], unit: Of.patient.column,
    options: .init(
      onConflict: .ifNewer(by: [
        Column("done_on", .date), Practice.dueOn, Column("fulfilled_by_id", .uuid),
      ]))
  ) {
    [
      """
      SELECT m.organization_id, m.patient_id, x.protocol_id, m.given_on AS done_on, m.due_on,
        'immunization' AS fulfilled_by, m.immunization_id AS fulfilled_by_id
      FROM \(MostRecentImmunization.self) AS m
      JOIN \(whole: Practice.protocolProducts) AS x ON x.product_id = m.product_id
      """,
      """
      SELECT m.organization_id, m.patient_id, x.protocol_id, m.ordered_on AS done_on, m.due_on,
        'order item' AS fulfilled_by, m.order_item_id AS fulfilled_by_id
      FROM \(MostRecentOrderItem.self) AS m
      JOIN \(whole: Practice.protocolProducts) AS x ON x.product_id = m.product_id
      """,
      """
      SELECT m.organization_id, m.patient_id, m.protocol_id, m.done_on, m.due_on,
        'custom protocol' AS fulfilled_by, m.custom_id AS fulfilled_by_id
      FROM \(MostRecentCustomPatientProtocol.self) AS m
      """,
    ]
  }
}

// MARK: What a patient is due for

/// Each protocol that applies to each living patient, by species and age, and the day it is due: the day the last
/// fulfilment lasts until, or for one never fulfilled the day the patient was old enough.
public struct OutstandingProtocol: Projectable {
  public static let projection = Projection.derived(
    "outstanding-protocols", table: "clinic.outstanding_protocols",
    columns: [
      Of.organization.column, Of.patient.column, Of.protocol.column, Practice.dueOn,
      Column("done_on", .date),
    ],
    key: [Of.patient.column, Of.protocol.column],
    scopes: [Of.organization.column, Of.patient.column], unit: Of.patient.column,
    options: .init(required: [Practice.dueOn])
  ) {
    [
      """
      SELECT k.organization_id, k.patient_id, p.protocol_id,
        CASE WHEN d.patient_id IS NULL THEN k.born_on + p.min_age_days ELSE d.due_on END AS due_on, d.done_on
      FROM \(Practice.patients) AS k
      JOIN \(Practice.protocols) AS p ON p.organization_id = k.organization_id AND p.is_enabled
        AND (p.species IS NULL OR p.species = k.species)
        AND \(Parameter.today) - k.born_on >= p.min_age_days
        AND (p.max_age_days IS NULL OR \(Parameter.today) - k.born_on <= p.max_age_days)
      LEFT JOIN \(ProductProtocol.self) AS d ON d.patient_id = k.patient_id AND d.protocol_id = p.protocol_id
      WHERE k.died_on IS NULL AND k.deleted_at IS NULL
      """
    ]
  }

  public let organizationID: UUID
  public let patientID: UUID
  public let protocolID: UUID
  public let dueOn: CalendarDay
  /// Nil where it was never done.
  public let doneOn: CalendarDay?

  public init(_ row: Row) throws {
    (organizationID, patientID, protocolID, dueOn, doneOn) = try row.decode(
      (UUID, UUID, UUID, CalendarDay, CalendarDay?).self)
  }
}

// MARK: Who is to be reminded

/// A reminder that is to go out: once for each patient, protocol, due day and cadence, whatever is derived again. What
/// has gone out stays on file, so rows are never taken away, and never changed.
public struct TriggeredCadence: Projectable {
  /// Within how many days of its day a reminder still makes sense.
  static let window = 7

  public static let projection = Projection.derived(
    "triggered-cadences", table: "clinic.triggered_cadences",
    columns: key + [Of.organization.column, Column("triggered_on", .date)], key: key,
    scopes: [Of.organization.column, Of.patient.column], unit: Of.patient.column,
    options: .init(
      onConflict: .nothing, dematerialises: false,
      emits: Action("send-reminder", key: key))
  ) {
    [
      """
      SELECT o.organization_id, o.patient_id, o.protocol_id, o.due_on, c.cadence_id,
        \(Parameter.today) AS triggered_on
      FROM \(OutstandingProtocol.self) AS o
      JOIN \(Practice.cadences) AS c ON c.organization_id = o.organization_id
        AND \(Parameter.today) >= o.due_on + c.offset_days
        AND \(Parameter.today) < o.due_on + c.offset_days + \(window)
      """
    ]
  }

  private static let key = [
    Of.patient.column, Of.protocol.column, Practice.dueOn, Column("cadence_id", .uuid),
  ]

  public let patientID: UUID
  public let protocolID: UUID
  public let dueOn: CalendarDay
  public let cadenceID: UUID

  public init(_ row: Row) throws {
    let (organization, triggered): (UUID, CalendarDay)
    (patientID, protocolID, dueOn, cadenceID, organization, triggered) = try row.decode(
      (UUID, UUID, CalendarDay, UUID, UUID, CalendarDay).self)
    _ = (organization, triggered)
  }
}
