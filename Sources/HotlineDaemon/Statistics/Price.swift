import HotlineWire

/// What a model's tokens cost, in US dollars for a million; nil where that is not known.
package struct Price: Hashable, Sendable {
  package var input: Double?
  package var cachedInput: Double?
  package var output: Double?

  package init(input: Double? = nil, cachedInput: Double? = nil, output: Double? = nil) {
    self.input = input
    self.cachedInput = cachedInput
    self.output = output
  }

  /// Each price that this one does not know is the other's.
  func filled(from other: Price?) -> Price {
    Price(
      input: input ?? other?.input, cachedInput: cachedInput ?? other?.cachedInput,
      output: output ?? other?.output)
  }

  var isComplete: Bool { input != nil && output != nil }

  /// In US dollars; nil where the price of anything that was used is not known: that is never 0.
  func cost(of usage: TokenUsage) -> Double? {
    let parts = [
      (usage.input - usage.cachedInput, input), (usage.cachedInput, cachedInput),
      (usage.output, output),
    ]
    var cost = 0.0
    for (count, price) in parts where count > 0 {
      guard let price else { return nil }
      cost += Double(count) * price / 1e6
    }
    return cost
  }
}
