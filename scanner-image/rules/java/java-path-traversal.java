import java.io.File;
import java.nio.file.Files;
import java.nio.file.Paths;
import javax.servlet.http.HttpServletRequest;

class Reports {
  byte[] download(HttpServletRequest request) throws Exception {
    String name = request.getParameter("name");
    // ruleid: java-path-traversal
    return Files.readAllBytes(Paths.get("reports", name));
  }

  @GetMapping("/report")
  File report(@RequestParam String name) {
    // ruleid: java-path-traversal
    return new File("reports/" + name);
  }

  File summary() {
    // ok: java-path-traversal
    return new File("reports/summary.pdf");
  }
}
