import Foundation
import TestSupport

/// nginx as a TLS terminator.
enum Nginx {
  /// Starts it on a free port before a plain server on this machine.
  ///
  /// - Parameter clientAuthority: clients have to show a certificate that this one has signed.
  static func start(
    in directory: TemporaryDirectory, certificate: String, key: String, upstreamPort: Int,
    clientAuthority: String? = nil
  ) throws -> (process: ChildProcess, port: Int) {
    do {
      return try LoopbackPort.start { port in
        let file = try directory.write(
          "nginx.conf",
          configuration(directory, certificate, key, port, upstreamPort, clientAuthority))
        return try ChildProcess(
          Requires.tool("nginx"), ["-p", directory.path, "-c", file, "-e", directory("nginx.log")])
      }
    } catch {
      let log = (try? String(contentsOfFile: directory("nginx.log"), encoding: .utf8)) ?? ""
      throw TestFailure("nginx: \(error); its log: \(log)")
    }
  }

  private static func configuration(
    _ directory: TemporaryDirectory, _ certificate: String, _ key: String, _ port: Int,
    _ upstreamPort: Int, _ clientAuthority: String?
  ) -> String {
    let verification = clientAuthority.map {
      "ssl_client_certificate \($0); ssl_verify_client on;"
    }
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map { "\($0)_temp_path \(directory("tmp-\($0)"));" }.joined(separator: "\n    ")
    return """
      daemon off;
      master_process off;
      pid \(directory("nginx.pid"));
      error_log \(directory("nginx.log")) info;
      events {}
      http {
        access_log off;
        \(paths)
        server {
          listen 127.0.0.1:\(port) ssl;
          ssl_certificate \(certificate);
          ssl_certificate_key \(key);
          \(verification ?? "")
          location / {
            proxy_pass http://127.0.0.1:\(upstreamPort);
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_read_timeout 300s;
          }
        }
      }
      """
  }
}
