import HotlineCore
import HotlineSystem
import HotlineWire
import Testing

@testable import HotlineDaemon

@Suite struct PriceTests {
  @Test func eachKindOfTokenHasItsPrice() throws {
    let price = Price(input: 1.25, cachedInput: 0.125, output: 10)
    let usage = TokenUsage(input: 1_000_000, cachedInput: 400_000, output: 200_000)
    let cost = try #require(price.cost(of: usage))
    #expect(abs(cost - (0.75 + 0.05 + 2)) < 1e-9)
    #expect(price.cost(of: TokenUsage()) == 0)
  }

  /// What is not known is never 0.
  @Test func aPriceThatIsNotKnownMakesTheCostUnknown() {
    let output = Price(output: 3.5)
    #expect(output.cost(of: TokenUsage(input: 1, output: 1)) == nil)
    #expect(output.cost(of: TokenUsage(output: 2_000_000)) == 7)
    #expect(Price(input: 1, output: 1).cost(of: TokenUsage(input: 2, cachedInput: 1)) == nil)
    #expect(
      Price(cachedInput: 1).cost(of: TokenUsage(input: 2_000_000, cachedInput: 2_000_000)) == 2)
    #expect(Price().cost(of: TokenUsage(output: 1)) == nil)
  }

  @Test func whatIsGivenGoesBeforeThePreset() {
    let preset = Price(input: 1, output: 2)
    #expect(
      Price(cachedInput: 3, output: 4).filled(from: preset)
        == Price(input: 1, cachedInput: 3, output: 4))
    #expect(Price(input: 0).filled(from: nil) == Price(input: 0))
  }

  // MARK: Configuration

  @Test func pricesAndBudgetsAreRead() throws {
    let configuration = try World(
      """
      budget_usd_per_day = 5
      [price."gpt-5.3-codex"]
      input_per_million = 0.5
      cached_input_per_million = 0
      output_per_million = 3
      [price.other]
      output_per_million = 1.5
      [tag."night job"]
      budget_usd_per_day = 0.25
      """
    ).load()
    #expect(
      configuration.prices == [
        "gpt-5.3-codex": Price(input: 0.5, cachedInput: 0, output: 3), "other": Price(output: 1.5),
      ])
    #expect(configuration.budgets.perDay == 5)
    #expect(configuration.budgets.perDayByTag == ["night job": 0.25])
    let settings = EffectiveSettings(configuration).settings
    let price = settings.first { $0.key.hasSuffix("codex\".cached_input_per_million") }
    #expect(price?.value == .decimal(0))
    #expect(price?.origin == .file)
    #expect(settings.first { $0.key == "budget_usd_per_day" }?.origin == .file)
    #expect(
      settings.first { $0.key == "tag.\"night job\".budget_usd_per_day" }?.value == .decimal(0.25))
  }

  @Test(arguments: [
    ("budget_usd_per_day = -1", "budget_usd_per_day: -1.0 is out of range; 0.0 to"),
    ("budget_usd_per_day = nan", "budget_usd_per_day: nan is out of range"),
    (
      "budget_usd_per_day = \"5\"",
      "budget_usd_per_day: is the string \"5\", but has to be a number"
    ),
    ("[price.m]\ninput = 1", "price.m.input: unknown key"),
    ("[price.m]\noutput_per_million = true", "price.m.output_per_million: is the boolean true"),
    ("[price]\nm = 3", "price.m: is the integer 3, but has to be a table"),
    ("[tag.t]\nbudget_usd_per_day = inf", "tag.t.budget_usd_per_day: inf is out of range"),
    ("[tag.\"\"]\nbudget_usd_per_day = 1", "is no name"),
  ])
  func whatIsNoPriceIsRefused(_ toml: String, _ problem: String) {
    let problems = World(toml).problems()
    #expect(problems.count == 1, "\(problems)")
    #expect(problems.first?.contains(problem) == true, "\(problems)")
  }

  @Test func thereIsALimitToTheirNumber() throws {
    func toml(_ count: Int) -> String { (0..<count).map { "[price.m\($0)]\n" }.joined() }
    #expect(try World(toml(256)).load().prices.count == 256)
    #expect(World(toml(257)).problems().first?.contains("257 tables are too many") == true)
  }

  /// Another server's prices are its own affair.
  @Test func thePresetsPricesAreForItsProviderAlone() throws {
    let configuration = try World("[upstream.local]\nurl = \"ws://127.0.0.1:1/\"").load()
    #expect(configuration.upstreams.map(\.name) == ["local", "smartaipi"])
    #expect(configuration.upstreams[0].presetPrices.isEmpty)
    #expect(configuration.upstreams[1].presetPrices["gpt-5.3-codex"] == Price(output: 3.5))
    #expect(configuration.upstreams[1].presetPrices.count == 3)
  }

  @Test func aBudgetThatCountsNothingIsAWarning() throws {
    func warnings(_ toml: String) throws -> [String] {
      var world = World(toml)
      world.keys[.environment("HOTLINE_API_KEY")] = "sk-test"
      return try ConfigurationLoader(
        options: world.options, surroundings: world.surroundings, socketIsPassed: false
      ).load().warnings
    }
    #expect(try warnings("").isEmpty)
    #expect(try warnings("budget_usd_per_day = 1").count == 1)
    let price = "\n[price.\"gpt-5.3-codex\"]\ninput_per_million = 1"
    #expect(try warnings("budget_usd_per_day = 1" + price).isEmpty, "the preset knows the rest")
  }
}
