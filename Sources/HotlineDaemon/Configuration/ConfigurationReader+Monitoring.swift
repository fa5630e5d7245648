import HotlineSystem
import TOMLKit

/// Where metrics can be fetched, and where ended requests are noted.
extension ConfigurationReader {
  mutating func readMonitoring() -> Configuration.Monitoring {
    var monitoring = Configuration.Monitoring()
    var metrics = reader(["metrics"], metricsTable, Schema.metricsKeys)
    monitoring.metricsSocket = path("socket", &metrics, such: "/run/user/1000/metrics.sock")
    if let text = metrics.string("listen", such: "127.0.0.1:9464") {
      monitoring.metricsAddress = MetricsAddress(text)
      if monitoring.metricsAddress == nil {
        metrics.reject(
          "listen",
          "\(metrics.shown("listen", text))is no address and port of this machine alone; "
            + "\"127.0.0.1:9464\" would do")
      }
    }
    finish(metrics)
    monitoring.accessLog = accessLog
    return monitoring
  }

  /// `access_log`, of the root table.
  func accessLog(_ root: inout TableReader) -> AccessLog.Target? {
    guard let text = root.string("access_log", such: "journal") else { return nil }
    if text == "journal" { return .journal }
    return path("access_log", &root, such: "~/access.log").map { .file($0) }
  }
}
