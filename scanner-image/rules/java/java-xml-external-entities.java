import java.io.InputStream;
import javax.xml.parsers.DocumentBuilderFactory;

class Documents {
  void read(InputStream data) throws Exception {
    DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
    // ruleid: java-xml-external-entities
    factory.newDocumentBuilder().parse(data);
  }

  void readSafely(InputStream data) throws Exception {
    DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
    factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
    // ok: java-xml-external-entities
    factory.newDocumentBuilder().parse(data);
  }
}
