import Foundation
import PeriodRollups

// The practice's own tables, as its application has them, and the names by which projections know their columns. A column
// of the same name means the same everywhere; that is all a lens needs to narrow every table at once.

/// What a row is of.
public enum Of {
  public static let organization = Field<UUID>("organization_id")
  public static let patient = Field<UUID>("patient_id")
  public static let product = Field<UUID>("product_id")
  public static let `protocol` = Field<UUID>("protocol_id")
}

/// The tables of the practice management system.
public enum Practice {
  static let patients = Table(
    "patients", table: "clinic.patients",
    columns: [
      Of.organization.column, Of.patient.column, Column("species", .text), Column("born_on", .date),
      Column("died_on", .date), deletedAt,
    ], stored: ["patient_id": "id"])

  /// What was given. A declined one was offered and refused.
  static let immunizations = Table(
    "immunizations", table: "clinic.immunizations", columns: event("immunization_id", "given_on"),
    stored: ["immunization_id": "id"])

  /// What was sold and done, which may be an immunization under another name.
  static let orderItems = Table(
    "order items", table: "clinic.order_items", columns: event("order_item_id", "ordered_on"),
    stored: ["order_item_id": "id"])

  /// What a veterinarian has set for one patient, whatever products say.
  static let customProtocols = Table(
    "custom patient protocols", table: "clinic.custom_patient_protocols",
    columns: [
      Of.organization.column, Of.patient.column, Column("custom_id", .uuid), Of.protocol.column,
      Column("done_on", .date), dueOn, deletedAt,
    ], stored: ["custom_id": "id"])

  static let products = Table(
    "products", table: "clinic.products",
    columns: [Of.product.column, Column("duration_days", .integer)], stored: ["product_id": "id"])

  /// Which products fulfil a protocol.
  static let protocolProducts = Table(
    "protocol products", table: "clinic.protocol_products",
    columns: [Of.protocol.column, Of.product.column])

  static let protocols = Table(
    "protocols", table: "clinic.protocols",
    columns: [
      Of.organization.column, Of.protocol.column, Column("species", .text),
      Column("min_age_days", .integer), Column("max_age_days", .integer),
      Column("is_enabled", .boolean),
    ], stored: ["protocol_id": "id"])

  /// How many days after (before, if negative) a protocol is due a reminder goes out.
  static let cadences = Table(
    "cadences", table: "clinic.cadences",
    columns: [
      Of.organization.column, Column("cadence_id", .uuid), Column("offset_days", .integer),
    ],
    stored: ["cadence_id": "id"])

  static let dueOn = Column("due_on", .date)
  private static let deletedAt = Column("deleted_at", .timestamptz)

  private static func event(_ id: Identifier, _ day: Identifier) -> [Column] {
    [
      Of.organization.column, Of.patient.column, Column(id, .uuid), Of.product.column,
      Column(day, .date), dueOn, Column("is_declined", .boolean), deletedAt,
    ]
  }

  /// The tables themselves, for tests and measurements: an application has its own.
  public static let schema = """
    CREATE SCHEMA clinic;
    CREATE TABLE clinic.patients (
      id uuid PRIMARY KEY, organization_id uuid NOT NULL, name text NOT NULL, species text NOT NULL,
      born_on date NOT NULL, died_on date, deleted_at timestamptz);
    CREATE INDEX ON clinic.patients (organization_id);
    CREATE TABLE clinic.products (id uuid PRIMARY KEY, name text NOT NULL, duration_days integer);
    CREATE TABLE clinic.immunizations (
      id uuid PRIMARY KEY, organization_id uuid NOT NULL, patient_id uuid NOT NULL, product_id uuid NOT NULL,
      given_on date NOT NULL, due_on date, is_declined boolean NOT NULL DEFAULT false, deleted_at timestamptz);
    CREATE INDEX ON clinic.immunizations (patient_id);
    CREATE INDEX ON clinic.immunizations (organization_id);
    CREATE TABLE clinic.order_items (
      id uuid PRIMARY KEY, organization_id uuid NOT NULL, patient_id uuid NOT NULL, product_id uuid NOT NULL,
      ordered_on date NOT NULL, due_on date, is_declined boolean NOT NULL DEFAULT false, deleted_at timestamptz);
    CREATE INDEX ON clinic.order_items (patient_id);
    CREATE INDEX ON clinic.order_items (organization_id);
    CREATE TABLE clinic.protocols (
      id uuid PRIMARY KEY, organization_id uuid NOT NULL, name text NOT NULL, species text,
      min_age_days integer NOT NULL DEFAULT 0, max_age_days integer, is_enabled boolean NOT NULL DEFAULT true);
    CREATE INDEX ON clinic.protocols (organization_id);
    CREATE TABLE clinic.protocol_products (
      protocol_id uuid NOT NULL, product_id uuid NOT NULL, PRIMARY KEY (product_id, protocol_id));
    CREATE TABLE clinic.custom_patient_protocols (
      id uuid PRIMARY KEY, organization_id uuid NOT NULL, patient_id uuid NOT NULL, protocol_id uuid NOT NULL,
      done_on date NOT NULL, due_on date NOT NULL, deleted_at timestamptz);
    CREATE INDEX ON clinic.custom_patient_protocols (patient_id);
    CREATE INDEX ON clinic.custom_patient_protocols (organization_id);
    CREATE TABLE clinic.cadences (
      id uuid PRIMARY KEY, organization_id uuid NOT NULL, offset_days integer NOT NULL);
    """
}
