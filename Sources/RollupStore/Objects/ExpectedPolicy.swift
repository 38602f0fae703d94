/// A row-level security policy that narrows what a service sees.
struct ExpectedPolicy: Sendable, Hashable {
  /// With its schema.
  let table: String
  let name: String
  /// Whether it only takes away, from the service's role alone; else it lets everybody see everything.
  let isOfService: Bool
  /// The condition as it is written.
  let condition: String
  /// The condition as PostgreSQL prints it.
  let printed: String

  /// Makes it, whatever is there under its name.
  var making: [String] {
    let create =
      isOfService
      ? "CREATE POLICY \(name) ON \(table) AS RESTRICTIVE TO \(ServiceRights.role) USING (\n\(condition)\n)"
      : "CREATE POLICY \(name) ON \(table) USING (\(condition)) WITH CHECK (\(condition))"
    return [
      "DROP POLICY IF EXISTS \(name) ON \(table)", create,
      "ALTER TABLE \(table) ENABLE ROW LEVEL SECURITY",
    ]
  }

  /// What is compared: name, table, manner, roles and conditions.
  var fact: String {
    isOfService
      ? "\(name) on \(table): restrictive, *, {\(ServiceRights.role)}, \(printed), "
      : "\(name) on \(table): permissive, *, {-}, \(printed), \(printed)"
  }
}
