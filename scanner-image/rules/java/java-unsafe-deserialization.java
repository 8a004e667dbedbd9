import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.InputStream;
import java.io.ObjectInputFilter;
import java.io.ObjectInputStream;

class Store {
  Object restore(InputStream data) throws Exception {
    ObjectInputStream in = new ObjectInputStream(data);
    // ruleid: java-unsafe-deserialization
    return in.readObject();
  }

  Object filtered(InputStream data, ObjectInputFilter filter) throws Exception {
    ObjectInputStream in = new ObjectInputStream(data);
    in.setObjectInputFilter(filter);
    // ok: java-unsafe-deserialization
    return in.readObject();
  }

  void configure(ObjectMapper mapper) {
    // ruleid: java-unsafe-deserialization
    mapper.enableDefaultTyping();
    // ok: java-unsafe-deserialization
    mapper.findAndRegisterModules();
  }
}
