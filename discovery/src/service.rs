//! [`ServiceInstance`]: who offers a service, and where.

use std::collections::BTreeMap;

/// One program that offers a service: its name, where it is reached, and what else it says of itself.
///
/// Service and name together tell one instance from all others.
///
/// # Example
/// ```
/// use privateer_discovery::ServiceInstance;
///
/// let echo = ServiceInstance::new("echo", "echo on host-1")
///     .endpoint("tcp://10.0.0.1:5555")
///     .property("zone", "north");
/// assert_eq!(echo.endpoints(), ["tcp://10.0.0.1:5555"]);
/// assert_eq!(echo.properties()["zone"], "north");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServiceInstance {
    service: String,
    name: String,
    endpoints: Vec<String>,
    properties: BTreeMap<String, String>,
}

impl ServiceInstance {
    /// An instance of this service, with this name among its instances, and without endpoints and properties.
    #[must_use]
    pub fn new(service: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            service: service.into(),
            name: name.into(),
            endpoints: Vec::new(),
            properties: BTreeMap::new(),
        }
    }

    /// Adds an endpoint, such as `tcp://10.0.0.1:5555`, after those that are there.
    ///
    /// It is taken as it is; whoever connects reads it.
    #[must_use]
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoints.push(endpoint.into());
        self
    }

    /// Adds a property, in place of one of the same name.
    #[must_use]
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.insert(name.into(), value.into());
        self
    }

    /// What it offers.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Its name among the instances of the service.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is reached: any one of them will do, the first is preferred.
    #[must_use]
    pub fn endpoints(&self) -> &[String] {
        &self.endpoints
    }

    /// What else it says of itself, by name.
    #[must_use]
    pub const fn properties(&self) -> &BTreeMap<String, String> {
        &self.properties
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_keep_their_order_and_properties_their_last_value() {
        let instance = ServiceInstance::new("echo", "one")
            .endpoint("tcp://b:1")
            .endpoint("tcp://a:1")
            .property("zone", "north")
            .property("zone", "south");
        assert_eq!((instance.service(), instance.name()), ("echo", "one"));
        assert_eq!(instance.endpoints(), ["tcp://b:1", "tcp://a:1"]);
        assert_eq!(instance.properties().len(), 1);
        assert_eq!(instance.properties()["zone"], "south");
    }
}
