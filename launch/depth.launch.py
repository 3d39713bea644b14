"""Start the depth node: `ros2 launch da_ros depth.launch.py image_topic:=/camera/image_raw`.

Every argument is empty by default and passed on only when given, after params_file, so that a file
of parameters and the command line go together.
"""

from __future__ import annotations

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchDescription

PARAMETERS = {
    "image_transport": "raw or compressed",
    "model_size": "nano, small, base, large or giant",
    "model_family": "metric-indoor, metric-outdoor, v2 or v1",
    "model_path": "weights file instead of size and family",
    "device": "auto, cpu or cuda:N",
    "use_sim_time": "true when a bag or a simulator publishes /clock",
    "autostart": "false for a lifecycle manager",
}
OTHERS = {
    "image_topic": "image topic, such as /camera/image_raw",
    "camera_info_topic": "default: the camera_info beside the image topic",
    "scale_depth_topic": "registered depth image as the source of scale (scale.depth_image)",
    "scale_points_topic": "point cloud as the source of scale (scale.point_cloud)",
    "params_file": "YAML file of parameters, such as a copy of config/depth.yaml",
    "namespace": "of the node",
    "rviz": "true to start RViz with config/depth.rviz",
    "rviz_frame": "RViz's fixed frame, as the images' frame_id; default: camera_optical_frame",
    "log_level": "debug, info, warn or error",
}
REMAPPINGS = {
    "image_topic": "image",
    "camera_info_topic": "camera_info",
    "scale_depth_topic": "scale_depth/image",
    "scale_points_topic": "scale_points",
}
SWITCHES = {"scale_depth_topic": "scale.depth_image", "scale_points_topic": "scale.point_cloud"}
SHOWN = [f"/da_ros/{name}" for name in ("depth/color", "depth/image", "points", "nominal/points")]
FLAGS = ("use_sim_time", "autostart")


def actions(context):
    given = {
        name: LaunchConfiguration(name).perform(context).strip() for name in PARAMETERS | OTHERS
    }
    parameters = [given["params_file"]] if given["params_file"] else []
    chosen = {name: typed(name, given[name]) for name in PARAMETERS if given[name]}
    chosen |= {name: True for argument, name in SWITCHES.items() if given[argument]}
    if chosen:
        parameters.append(chosen)
    remappings = [(name, given[a]) for a, name in REMAPPINGS.items() if given[a]]
    log_level = given["log_level"]
    node = Node(
        package="da_ros",
        executable="depth_node",
        name="da_ros",
        namespace=given["namespace"],
        output="screen",
        parameters=parameters,
        remappings=remappings,
        ros_arguments=["--log-level", log_level] if log_level else [],
    )
    return [node, *viewer(given)]


def typed(name, text):
    """Launch arguments are text; ROS wants a bool where a bool is declared."""
    return text.lower() in ("true", "1", "yes", "on") if name in FLAGS else text


def viewer(given):
    if not typed("use_sim_time", given["rviz"]):
        return []
    config = Path(get_package_share_directory("da_ros")) / "config" / "depth.rviz"
    sim = {"use_sim_time": typed("use_sim_time", given["use_sim_time"])}
    root = given["namespace"].strip("/")
    renamed = [(name, f"/{root}{name}") for name in SHOWN if root]
    if topic := given["image_topic"]:
        # Of the node's own namespace, in which RViz is not.
        whole = topic if topic.startswith("/") else f"/{root}/{topic}".replace("//", "/")
        renamed.append(("/camera/image_raw", whole))
    frame = ["-f", given["rviz_frame"]] if given["rviz_frame"] else []
    return [
        Node(
            package="rviz2",
            executable="rviz2",
            arguments=["-d", str(config), *frame],
            parameters=[sim],
            remappings=renamed,
        )
    ]


def generate_launch_description():
    arguments = [
        DeclareLaunchArgument(name, default_value="", description=text)
        for name, text in (PARAMETERS | OTHERS).items()
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=actions)])
