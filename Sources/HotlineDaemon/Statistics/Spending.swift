import HotlineCore
import HotlineSystem

/// What may be spent on a local day, in US dollars: by all requests, and by those of a label.
package struct Budgets: Hashable, Sendable {
  package var perDay: Double?
  package var perDayByTag: [String: Double] = [:]

  package init() {}

  var isSet: Bool { perDay != nil || !perDayByTag.isEmpty }
}

/// What has been spent on the current local day, of what is known to have cost something.
///
/// Pure value; the day is an argument. It guards against accidents: a clock that is set begins the
/// day anew.
struct Spending: Hashable {
  /// Labels that are told apart; what later ones spend counts towards the whole alone.
  static let tagsMax = 256

  /// Of the latest day on which anything was spent.
  private(set) var date = ""
  private(set) var total = 0.0
  private(set) var tags: [String: Double] = [:]

  init() {}

  init(date: String, total: Double, tags: [String: Double]) {
    self.date = date
    self.total = total
    self.tags = tags
  }

  mutating func spent(_ cost: Double, tag: String, on day: CalendarDay) {
    if day.date != date { self = Spending(date: day.date, total: 0, tags: [:]) }
    total += cost
    if tags[tag] != nil || tags.count < Self.tagsMax { tags[tag, default: 0] += cost }
  }

  /// - Parameter tag: nil for all that was spent.
  func sum(tag: String?, on day: CalendarDay) -> Double {
    guard day.date == date else { return 0 }
    return tag.map { tags[$0] ?? 0 } ?? total
  }

  /// Why a request with that label is not taken; nil where it is.
  func refusal(tag: String, _ budgets: Budgets, on day: CalendarDay) -> HotlineError? {
    if let limit = budgets.perDay, sum(tag: nil, on: day) >= limit {
      return refusal("the daemon", limit, sum(tag: nil, on: day), day, "budget_usd_per_day")
    }
    if let limit = budgets.perDayByTag[tag], sum(tag: tag, on: day) >= limit {
      let key = "[tag.\(Showable.quoted(tag))] budget_usd_per_day"
      return refusal(
        "the label \(Showable.quoted(tag))", limit, sum(tag: tag, on: day), day, key)
    }
    return nil
  }

  private func refusal(
    _ whose: String, _ limit: Double, _ spent: Double, _ day: CalendarDay, _ key: String
  ) -> HotlineError {
    HotlineError(
      .budgetExceeded,
      "the budget of \(whose) for \(day.date), \(Self.dollars(limit)), is spent "
        + "(\(Self.dollars(spent))); it resets at \(day.endInWords); wait for that or raise \(key)",
      isRetryable: true)
  }

  /// At most four decimals: `0.25 USD`.
  static func dollars(_ amount: Double) -> String {
    guard let units = Int(exactly: (amount * 10_000).rounded()) else { return "\(amount) USD" }
    var digits = String(10_000 + units % 10_000).dropFirst()
    while digits.last == "0" { digits.removeLast() }
    return "\(units / 10_000)\(digits.isEmpty ? "" : ".")\(digits) USD"
  }
}
