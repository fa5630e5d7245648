import HotlineCore
import HotlineSystem
import HotlineTransport
import HotlineWire
import Logging
import NIOCore

/// What requests cost, and what may be spent.
extension DaemonLoop {
  /// For the disk: one thing after the other, off the loop.
  static let disk = SerialWorker(name: "hotline-disk")
  /// The file is written at most so often while requests end.
  private static let storeInterval: TimeAmount = .seconds(1)

  /// In US dollars; nil where it is not known.
  func cost(of usage: TokenUsage?, model: String?, upstream: UpstreamIndex) -> Double? {
    guard let usage, let model else { return nil }
    let preset = upstreams[upstream.rawValue].presetPrices[model]
    return (configuration.prices[model] ?? Price()).filled(from: preset).cost(of: usage)
  }

  /// Why a request is not taken today; nil where it is.
  func budgetRefusal(of request: ClientRequest, from client: ClientHandler) -> HotlineError? {
    let budgets = configuration.budgets
    guard budgets.isSet else { return nil }
    let tag = request.options.tag?.description ?? commandName(of: client)
    return spending.refusal(tag: tag, budgets, on: today())
  }

  func spent(_ end: RequestEnd) {
    spent(end.cost, of: end.usage, model: end.model, tag: end.tag)
  }

  func spent(_ cost: Double?, of usage: TokenUsage?, model: String?, tag: String) {
    if let cost {
      spending.spent(cost, tag: tag, on: today())
      if configuration.budgets.isSet, cost > 0 { storeSpendingSoon() }
    } else if configuration.budgets.isSet, usage != nil,
      statistics.accounts.models.values[model]?.unpricedRequests == 1
    {
      log.warning(
        "no budget counts this model's requests: a price of it is not known",
        metadata: ["model": "\(LogText.excerpt(model ?? "none", charactersMax: 64))"])
    }
  }

  private func storeSpendingSoon() {
    guard spendingFile != nil, !isStoreScheduled else { return }
    isStoreScheduled = true
    eventLoop.assumeIsolated().scheduleTask(in: Self.storeInterval) { [weak self] in
      self?.storeSpending()
    }
  }

  /// Has the file written, off the loop; nothing happens where it is as it should be.
  func storeSpending() {
    guard isStoreScheduled, let spendingFile else { return }
    isStoreScheduled = false
    let spending = spending
    let log = log
    Self.disk.async {
      do throws(FileFailure) {
        try spendingFile.store(spending)
      } catch {
        log.error("the day's spending is not stored", metadata: ["reason": "\(error)"])
      }
    }
  }
}
