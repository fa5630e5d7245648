import TOMLKit

/// What tokens cost, and how much may be spent.
extension ConfigurationReader {
  /// `[price."MODEL"]`
  mutating func readPrices() -> [String: Price] {
    var prices: [String: Price] = [:]
    for (model, reader) in namedTables("price", priceTable, Schema.priceKeys) {
      var reader = reader
      let range = 0...Schema.usdPerMillionMax
      prices[model] = Price(
        input: reader.decimal("input_per_million", range, such: "1.25"),
        cachedInput: reader.decimal("cached_input_per_million", range, such: "0.125"),
        output: reader.decimal("output_per_million", range, such: "10"))
      finish(reader)
    }
    return prices
  }

  /// `budget_usd_per_day`, and that of each `[tag."NAME"]`.
  mutating func readBudgets() -> Budgets {
    var budgets = Budgets()
    budgets.perDay = budgetPerDay
    for (tag, reader) in namedTables("tag", tagTable, Schema.tagKeys) {
      var reader = reader
      budgets.perDayByTag[tag] = reader.decimal(
        "budget_usd_per_day", 0...Schema.budgetMax, such: "5")
      finish(reader)
    }
    return budgets
  }

  /// The tables of a section whose keys are names that the user makes.
  private mutating func namedTables(
    _ section: String, _ table: TOMLTable?, _ known: [String]
  ) -> [(name: String, reader: TableReader)] {
    let names = (table?.keys ?? []).sorted()
    var outer = reader([section], table, names)
    var tables: [(String, TableReader)] = []
    for name in names {
      guard 1...Schema.modelCharacters.upperBound ~= name.count else {
        outer.reject(
          name, "is no name; 1 to \(Schema.modelCharacters.upperBound) characters would do")
        continue
      }
      guard let own = outer.subtable(name) else { continue }
      tables.append((name, reader([section, name], own, known)))
    }
    if names.count > Schema.namedTablesMax {
      problems.append(
        .init(
          section,
          "\(names.count) tables are too many; at most \(Schema.namedTablesMax) would do",
          line: document?.outline.line(of: [section])))
      tables = []
    }
    problems += outer.problems
    return tables
  }
}
